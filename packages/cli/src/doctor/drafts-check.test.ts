import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { parseModelSource } from '@petals-chat/engine'
import { createModelStore, hubConfigSchema } from '@petals-chat/hub'
import { parseGgufHeader, type GgufArray } from '@petals-chat/llama/gguf'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import { loadConfig } from '../config/load.ts'
import { createStore } from '../runtime.ts'
import { temporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { checkDrafts, draftsCheck } from './drafts-check.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

/** Returns the texts, kinds and merges of a GGUF file's vocabulary. */
async function vocabularyOf(gguf: string) {
  await using file = await open(gguf)
  const { size } = await file.stat()
  const start = Buffer.alloc(Math.min(size, 16 * 1024 * 1024))
  await file.read(start, 0, start.length, 0)
  const { metadata } = parseGgufHeader(start, size)
  const list = (key: string): GgufArray => metadata.get(`tokenizer.ggml.${key}`) as GgufArray
  return {
    tokens: list('tokens').strings(),
    kinds: list('token_type').numbers(),
    merges: list('merges').strings(),
  }
}

/** Writes the files of a swarm model whose tokenizer has the vocabulary of a GGUF file, but for some texts. */
async function writeModel(gguf: string, changed: Readonly<Record<number, string>> = {}): Promise<string> {
  const { tokens, kinds, merges } = await vocabularyOf(gguf)
  const config = {
    ...{ model_type: 'llama', vocab_size: tokens.length, hidden_size: 64, num_hidden_layers: 2 },
    ...{ num_attention_heads: 4, num_key_value_heads: 4, intermediate_size: 128 },
  }
  const textOf = (id: number): string => changed[id] ?? tokens[id]!
  const control = 3
  const tokenizer = {
    version: '1.0',
    added_tokens: kinds.flatMap((kind, id) =>
      kind === control
        ? [
            {
              id,
              content: textOf(id),
              special: true,
              normalized: false,
              lstrip: false,
              rstrip: false,
              single_word: false,
            },
          ]
        : [],
    ),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      ...{ type: 'BPE', dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false },
      vocab: Object.fromEntries(tokens.map((_, id) => [textOf(id), id])),
      merges,
    },
  }
  await mkdir(path.join(folder.path, 'large'))
  await folder.write('large/config.json', JSON.stringify(config))
  await folder.write('large/tokenizer.json', JSON.stringify(tokenizer))
  return path.join(folder.path, 'large')
}

const store = () =>
  createModelStore({ ...hubConfigSchema.parse({}), offline: true }, { baseFolder: folder.path })
const check = (source: string, draft: string) =>
  checkDrafts([{ id: 'large', source: parseModelSource(source), draft: parseModelSource(draft) }], store())

describe('the check of draft models', () => {
  it('is content with a draft model that has the vocabulary of its model', async () => {
    const gguf = await defaultModelPath()
    expect(await check(await writeModel(gguf), gguf)).toEqual({
      status: 'ok',
      message: 'those of large have the vocabularies of their models',
    })
  })

  it('names the first token that differs, and says what to do', async () => {
    const gguf = await defaultModelPath()
    const control = 1
    const source = await writeModel(gguf, { [control]: '<other>' })
    expect(await check(source, gguf)).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(
        /^the draft model of large can't be used: its vocabulary is another one: token 1 is ".*" there, and "<other>" in the model$/,
      ) as string,
      advice: 'Use a draft model of the same family, with the same tokenizer',
    })
  })

  it('says how to get a draft model, or a tokenizer, that is not on this machine', async () => {
    expect(await check('hf:owner/large', 'hf:owner/small/small.gguf')).toMatchObject({
      status: 'warning',
      message: 'the draft model of large is not on this machine',
      advice: expect.stringContaining('petals-chat models pull large') as string,
    })
    expect(await check('hf:owner/large', await defaultModelPath())).toMatchObject({
      status: 'warning',
      message:
        "config.json and tokenizer.json of large are not on this machine, so its draft model can't be compared",
    })
    const own = await writeModel(await defaultModelPath())
    await rm(path.join(own, 'config.json'))
    expect(await check(own, await defaultModelPath())).toMatchObject({
      message: "config.json of large is not on this machine, so its draft model can't be compared",
      advice: `Put what is missing into ${own}`,
    })
  })

  it('reads the draft models from the configuration', async () => {
    const model = { id: 'large', engine: 'petals', source: 'hf:owner/large', dhtPrefix: 'large' }
    const run = async (config: object) => {
      await folder.write('petals-chat.yaml', JSON.stringify(config))
      const loaded = await loadConfig({ workingDirectory: folder.path, environment: {}, flags: {} })
      return await draftsCheck.run({ ...loaded, store: createStore(loaded), environment: {} })
    }
    const drafted = { ...model, speculation: { draft: 'hf:owner/small/small.gguf' } }
    expect(await run({ models: [model] })).toMatchObject({ status: 'ok' })
    expect(await run({ models: [drafted] })).toMatchObject({ status: 'warning' })
    expect(await run({ models: [drafted], swarm: { speculation: 'off' } })).toMatchObject({ status: 'ok' })
  })
})
