import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { defaultModel } from '@petals-chat/hub'
import { modelSpecSchema } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { configSchema } from './schema.ts'
import { loadConfig } from './load.ts'
import { ConfigError } from './problem.ts'
import { parseYaml } from './yaml-file.ts'
import { readFile } from 'node:fs/promises'

const folder = fileURLToPath(new URL('../../../../examples/', import.meta.url))
const load = (name: string) =>
  loadConfig({ workingDirectory: folder, environment: {}, flags: { config: name } })

const read = async (name: string) =>
  configSchema.parse(parseYaml(name, await readFile(`${folder}${name}`, 'utf8')).data)

describe('examples', () => {
  it.each(['petals-chat.yaml', 'private-swarm.yaml', 'original-models.yaml'])(
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
    expect((await readdir(folder)).toSorted()).toEqual([
      'original-models.yaml',
      'petals-chat.yaml',
      'private-swarm.yaml',
    ])
  })

  it('shows the default model as it is', async () => {
    const { config } = await load('petals-chat.yaml')
    expect(config.models).toEqual([modelSpecSchema.parse(defaultModel)])
  })

  it('has the original’s models with all that its config.py knew of them', async () => {
    const { models } = await read('original-models.yaml')
    const facts = models!.map(
      ({ id, aliases, family, displayName, adapter, publicApi, maxSessionLength }) => [
        family,
        id,
        aliases.join(),
        displayName,
        adapter,
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
})
