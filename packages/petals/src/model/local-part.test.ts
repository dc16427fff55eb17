import { parseModelSource } from '@petals-chat/engine'
import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTestStore, type TestStore } from '../../../hub/src/testing/test-store.ts'
import { readArchitecture } from '../layers/architecture.ts'
import { openLocalLayers } from '../layers/local-layers.ts'
import { safetensorsFile, toyTensor } from '../layers/testing/toy-checkpoint.ts'
import { openTokenizer } from '../layers/tokenizer.ts'
import { removeLocalPart } from './local-part.ts'
import { readSwarmModelInfo } from './model-info.ts'

const source = 'hf:owner/model'
const vocabulary = 96
const hidden = 80
const config = { model_type: 'llama', vocab_size: vocabulary, hidden_size: hidden, num_hidden_layers: 2 }
const weights = {
  'model.layers.0.mlp.up_proj.weight': toyTensor([512, 1024], 1),
  'model.embed_tokens.weight': toyTensor([vocabulary, hidden], 2, 'bfloat16'),
  'model.norm.weight': toyTensor([hidden], 3),
  'lm_head.weight': toyTensor([vocabulary, hidden], 4),
}

let hub: TestStore
let cacheFolder: string
beforeEach(async () => {
  hub = await openTestStore()
  cacheFolder = path.join(hub.folder, 'heads')
})
afterEach(() => hub[Symbol.asyncDispose]())

const publish = (more: object = {}) =>
  hub.hub.addRepository('owner/model', {
    files: {
      'config.json': JSON.stringify({ ...config, ...more }),
      'model.safetensors': safetensorsFile(weights),
    },
  })
const openFiles = () => hub.store.openFiles(source)

describe('readSwarmModelInfo', () => {
  it('counts the tensors that are downloaded, not the whole repository', async () => {
    publish()
    const { downloadBytes } = await readSwarmModelInfo(
      { source: parseModelSource(source), dhtPrefix: 'x' },
      await openFiles(),
    )
    expect(downloadBytes).toBe(vocabulary * hidden * (2 + 4))
  })

  it('counts a tied head once', async () => {
    publish({ tie_word_embeddings: true })
    const { downloadBytes } = await readSwarmModelInfo(
      { source: parseModelSource(source), dhtPrefix: 'x' },
      await openFiles(),
    )
    expect(downloadBytes).toBe(vocabulary * hidden * 2)
  })

  it('returns the rest if the weights can’t be read', async () => {
    hub.hub.addRepository('owner/model', { files: { 'config.json': JSON.stringify(config) } })
    const info = await readSwarmModelInfo(
      { source: parseModelSource(source), dhtPrefix: 'x' },
      await openFiles(),
    )
    expect(info).toMatchObject({ blocks: 2, downloadBytes: undefined })
  })
})

describe('removeLocalPart', () => {
  it("removes the model's 8-bit head and no other", async () => {
    publish()
    await using layers = await openLocalLayers(await openFiles(), { folder: cacheFolder, threads: 1 })
    const [made] = await readdir(cacheFolder)
    const other = 'lm-head-0123456789abcdef-0123456789abcdef.bin'
    await writeFile(path.join(cacheFolder, other), 'other')
    const { paths, freedBytes } = await removeLocalPart(
      { source: parseModelSource(source) },
      { cacheFolder, openFiles },
    )
    expect(paths).toEqual([path.join(cacheFolder, made!)])
    expect(freedBytes).toBe(layers.localMemoryBytes)
    expect(await readdir(cacheFolder)).toEqual([other])
  })

  it('removes the packed vocabulary, also if the weights are not on this machine', async () => {
    const tokenizer = {
      added_tokens: [],
      decoder: { type: 'ByteLevel' },
      model: { type: 'BPE', vocab: { a: 0 }, merges: [] },
    }
    hub.hub.addRepository('owner/model', {
      files: { 'config.json': JSON.stringify(config), 'tokenizer.json': JSON.stringify(tokenizer) },
    })
    const files = await openFiles()
    await openTokenizer(files, await readArchitecture(files), undefined, { folder: cacheFolder })
    const [made] = await readdir(cacheFolder)
    const { paths, freedBytes } = await removeLocalPart(
      { source: parseModelSource(source) },
      { cacheFolder, openFiles },
    )
    expect(paths).toEqual([path.join(cacheFolder, made!)])
    expect(freedBytes).toBeGreaterThan(0)
    expect(await readdir(cacheFolder)).toEqual([])
  })

  it('removes nothing of a model that is not on this machine', async () => {
    expect(await removeLocalPart({ source: parseModelSource(source) }, { cacheFolder, openFiles })).toEqual({
      paths: [],
      freedBytes: 0,
    })
  })
})
