import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { defaultModel } from '@petals-chat/hub'
import { parseModelSource, type ModelFiles } from '@petals-chat/engine'
import { readSwarmModelInfo } from '@petals-chat/petals'
import { describe, expect, it } from 'vitest'
import { formatBytes } from '../terminal/format.ts'
import { configSchema, type LocalModelEntry, modelEntrySchema } from './schema.ts'
import { loadConfig } from './load.ts'
import { ConfigError } from './problem.ts'
import { parseYaml } from './yaml-file.ts'

const folder = fileURLToPath(new URL('../../../../examples/', import.meta.url))
const load = (name: string) =>
  loadConfig({ workingDirectory: folder, environment: {}, flags: { config: name } })

const read = async (name: string) =>
  configSchema.parse(parseYaml(name, await readFile(`${folder}${name}`, 'utf8')).data)

describe('examples', () => {
  it.each(['petals-chat.yaml', 'private-swarm.yaml', 'original-models.yaml', 'large-models.yaml'])(
    '%s has no mistake',
    async (name) => {
      const problems = await load(name).then(
        () => [],
        (error: unknown) => {
          if (error instanceof ConfigError) return error.problems
          throw error
        },
      )
      expect(problems).toEqual([])
    },
  )

  it('are all tested here', async () => {
    const files = await readdir(folder)
    expect(files.filter((file) => file.endsWith('.yaml')).toSorted()).toEqual([
      'large-models.yaml',
      'original-models.yaml',
      'petals-chat.yaml',
      'private-swarm.yaml',
    ])
  })

  it('shows the default model unchanged', async () => {
    const { config } = await load('petals-chat.yaml')
    expect(config.models).toEqual([modelEntrySchema.parse(defaultModel)])
  })

  it('has the original’s models with all the data of its config.py', async () => {
    const { models } = await read('original-models.yaml')
    const facts = models!.map(
      ({ id, aliases, family, displayName, publicApi, maxSessionLength, ...rest }) => [
        family,
        id,
        aliases.join(),
        displayName,
        'adapter' in rest ? rest.adapter : undefined,
        publicApi,
        maxSessionLength,
      ],
    )
    expect(facts).toEqual([
      [
        'Llama 2',
        'petals-team/StableBeluga2',
        'stabilityai/StableBeluga2',
        'Stable Beluga 2 (70B)',
        undefined,
        true,
        8192,
      ],
      ['Llama 2', 'meta-llama/Llama-2-70b-chat-hf', '', 'Llama 2 (70B-Chat)', undefined, true, 8192],
      ['Falcon', 'tiiuae/falcon-180B-chat', '', 'Falcon 180B-Chat', undefined, false, 8192],
      ['Llama', 'timdettmers/guanaco-65b', '', 'Guanaco-65B', 'timdettmers/guanaco-65b', true, 8192],
      ['Llama', 'huggyllama/llama-65b', '', 'Llama-65B', undefined, true, 8192],
      ['BLOOM', 'bigscience/bloomz', '', 'BLOOMZ-176B', undefined, true, 2048],
    ])
    for (const { modelCard, license } of models!) expect([modelCard, license]).not.toContain(undefined)
    const usual = { do_sample: 1, temperature: 0.6, top_p: 0.9 }
    const falcon = { do_sample: 1, temperature: 0.75, top_p: 0.9, repetition_penalty: 1.2 }
    expect(models!.map(({ generation }) => generation)).toEqual([usual, usual, falcon, usual, usual, usual])
    expect(
      models!.map(({ dialogue }) => [dialogue?.sepToken, dialogue?.stopToken, dialogue?.extraStopSequences]),
    ).toEqual([
      ['###', '###', ['</s>']],
      ['###', '###', ['</s>']],
      ['\n', '\n', ['<|endoftext|>', '\nFalcon:', ' Falcon:', '\nUser:', ' User:', '###']],
      ['###', '###', ['</s>']],
      ['###', '###', ['</s>']],
      ['\n\n', '</s>', ['\n\nHuman']],
    ])
  })

  it('has Llama 3.1 and Mixtral 8x22B with licence, and the memory and download that they take', async () => {
    const { models } = await read('large-models.yaml')
    const text = await readFile(`${folder}large-models.yaml`, 'utf8')
    // Of each model's own config.json and weights.
    const shapes = [
      ['meta-llama/Meta-Llama-3.1-8B-Instruct', 'llama', 128_256, 4096],
      ['meta-llama/Meta-Llama-3.1-70B-Instruct', 'llama', 128_256, 8192],
      ['meta-llama/Meta-Llama-3.1-405B-Instruct', 'llama', 128_256, 16_384],
      ['mistralai/Mixtral-8x22B-Instruct-v0.1', 'mixtral', 32_768, 6144],
    ] as const
    expect(models!.map(({ id }) => id)).toEqual(shapes.map(([id]) => id))
    for (const [index, [id, type, vocabulary, hidden]] of shapes.entries()) {
      const { source, license, modelCard, maxSessionLength } = models![index] as LocalModelEntry
      expect([source, modelCard]).toEqual([parseModelSource(`hf:${id}`), `https://huggingface.co/${id}`])
      expect(license).toMatch(/^https:/)
      expect(maxSessionLength).toBe(8192)
      const config = { model_type: type, vocab_size: vocabulary, hidden_size: hidden, num_hidden_layers: 1 }
      const files = { description: id, list: async () => [], text: async () => JSON.stringify(config) }
      const { memoryBytes } = await readSwarmModelInfo({ source }, files as unknown as ModelFiles)
      const head = formatBytes(memoryBytes)
      const fetched = formatBytes(vocabulary * hidden * 2 * 2)
      const facts = text
        .slice(0, text.indexOf(`- id: ${id}`))
        .split('\n')
        .at(-2)
      expect(facts).toContain(`Here: ${head} of memory, ${fetched} fetched.`)
    }
  })
})
