import { readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ModelUnavailableError, type LoadProgress } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTestStore, type TestStore } from '../../../hub/src/testing/test-store.ts'
import { bestToken } from '../sampling/ranking.ts'
import { openLocalLayers, type LocalLayersOptions } from './local-layers.ts'
import { safetensorsFile, toyTensor, toyValues } from './testing/toy-checkpoint.ts'

const vocabulary = 96
const hidden = 80
const llamaConfig = {
  model_type: 'llama',
  vocab_size: vocabulary,
  hidden_size: hidden,
  num_hidden_layers: 2,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
}
const embedding = toyTensor([vocabulary, hidden], 1, 'bfloat16')
const head = toyTensor([vocabulary, hidden], 2)
const norm = toyTensor([hidden], 3)

/** A shard with only transformer blocks, which the client does not need: like most of a real checkpoint. */
const blocks = { 'model.layers.0.mlp.up_proj.weight': toyTensor([512, 1024], 4) }

const shardedLlama = (): Record<string, string | Uint8Array> => ({
  'config.json': JSON.stringify(llamaConfig),
  'model.safetensors.index.json': JSON.stringify({
    weight_map: {
      'model.embed_tokens.weight': 'model-00001-of-00002.safetensors',
      'model.layers.0.mlp.up_proj.weight': 'model-00001-of-00002.safetensors',
      'model.norm.weight': 'model-00002-of-00002.safetensors',
      'lm_head.weight': 'model-00002-of-00002.safetensors',
    },
  }),
  'model-00001-of-00002.safetensors': safetensorsFile({ 'model.embed_tokens.weight': embedding, ...blocks }),
  'model-00002-of-00002.safetensors': safetensorsFile({
    ...blocks,
    'model.norm.weight': norm,
    'lm_head.weight': head,
  }),
})

let hubStore: TestStore
beforeEach(async () => {
  hubStore = await openTestStore()
})
afterEach(() => hubStore[Symbol.asyncDispose]())

const options = (more: Partial<LocalLayersOptions> = {}): LocalLayersOptions => ({
  folder: path.join(hubStore.folder, 'heads'),
  threads: 1,
  ...more,
})

async function openRepository(
  files: Record<string, string | Uint8Array>,
  more?: Partial<LocalLayersOptions>,
) {
  hubStore.hub.addRepository('owner/model', { files })
  return openLocalLayers(await hubStore.store.openFiles('hf:owner/model'), options(more))
}

/** Bytes that the storage sent. */
const fetchedBytes = (): number =>
  hubStore.hub.requests
    .filter(({ host, method }) => host === 'cdn' && method === 'GET')
    .reduce((sum, { headers }) => {
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
      return sum + (start === undefined ? Infinity : Number(end) - Number(start) + 1)
    }, 0)

/** logits = W · (w · x / rms(x)), in plain arithmetic. */
function expectedLogits(x: Float32Array, rows = vocabulary): number[] {
  const rms = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / hidden + 1e-5)
  const normed = x.map((value, i) => (value / rms) * norm.values[i]!)
  return Array.from({ length: rows }, (_, row) =>
    normed.reduce((sum, value, i) => sum + value * head.values[row * hidden + i]!, 0),
  )
}

describe('local layers of a repository on the Hub', () => {
  it('download only their tensors, embed, and return logits', async () => {
    await using layers = await openRepository(shardedLlama())
    // Two matrices, a norm and two headers, not the shards of 2 MB each.
    expect(fetchedBytes()).toBeLessThan(vocabulary * hidden * 6 + 10_000)
    const { shape, data } = layers.embed([5, 0, 95])
    expect(shape).toEqual([3, hidden])
    const rows = [5, 0, 95].flatMap((token) => [
      ...embedding.values.subarray(token * hidden, (token + 1) * hidden),
    ])
    // bfloat16 has 8 bits
    data.forEach((value, i) => expect(Math.abs(value - rows[i]!)).toBeLessThan(2 ** -8))

    const outputs = toyValues(2 * hidden, 9)
    const answers = await layers.logits({ shape: [2, hidden], data: outputs })
    answers.forEach((logits, position) => {
      const expected = expectedLogits(outputs.subarray(position * hidden, (position + 1) * hidden))
      expected.forEach((value, token) => expect(logits.exact(token)).toBeCloseTo(value, 4))
      expect(bestToken(logits).token).toBe(expected.indexOf(Math.max(...expected)))
    })
    expect(layers.localMemoryBytes).toBeGreaterThan(vocabulary * hidden)
  })

  it('need no network at the next start', async () => {
    await (await openRepository(shardedLlama()))[Symbol.asyncDispose]()
    hubStore.hub.reset()
    const files = await hubStore.reopen({ offline: true }).openFiles('hf:owner/model')
    await using layers = await openLocalLayers(files, options())
    expect(layers.architecture.hiddenSize).toBe(hidden)
    expect(hubStore.hub.requests).toEqual([])
  })

  it('resume an interrupted download', async () => {
    hubStore.hub.inject({ on: 'cdn', path: /00002-of-00002/, times: 2, cutAfterBytes: 4000 })
    await using layers = await openRepository(shardedLlama())
    const outputs = toyValues(hidden, 10)
    const [logits] = await layers.logits({ shape: [1, hidden], data: outputs })
    expect(logits!.exact(7)).toBeCloseTo(expectedLogits(outputs)[7]!, 4)
  })

  it('report the progress of downloads and of the 8-bit head', async () => {
    const seen: LoadProgress[] = []
    await using _ = await openRepository(shardedLlama(), { onProgress: (progress) => seen.push(progress) })
    expect(seen).toContainEqual(expect.objectContaining({ phase: 'download', unit: 'bytes' }))
    expect(seen.at(-1)).toEqual({
      phase: 'load',
      label: 'LM head in 8 bits',
      done: 100,
      total: 100,
      unit: 'percent',
    })
  })

  it('use the files of a new commit', async () => {
    await (await openRepository(shardedLlama()))[Symbol.asyncDispose]()
    const changed = shardedLlama()
    changed['model-00002-of-00002.safetensors'] = safetensorsFile({
      ...blocks,
      'model.norm.weight': { shape: [hidden], values: new Float32Array(hidden).fill(1) },
      'lm_head.weight': {
        shape: [vocabulary, hidden],
        values: new Float32Array(vocabulary * hidden).fill(1),
      },
    })
    hubStore.hub.addRepository('owner/model', { files: changed })
    const files = await hubStore.store.openFiles('hf:owner/model', { refresh: true })
    await using layers = await openLocalLayers(files, options())
    const [logits] = await layers.logits({ shape: [1, hidden], data: new Float32Array(hidden).fill(1) })
    expect(logits!.exact(3)).toBeCloseTo(hidden, 2)
    expect(Math.abs(logits!.estimate(3) - hidden)).toBeLessThanOrEqual(logits!.margin(3) + 1e-3)
  })
})

describe('local layers of one file', () => {
  const single = (config: object, tensors: Parameters<typeof safetensorsFile>[0]) => ({
    'config.json': JSON.stringify(config),
    'model.safetensors': safetensorsFile(tensors),
  })

  it('use a tied embedding as the head, without the rows that pad the vocabulary', async () => {
    const padded = toyTensor([vocabulary + 32, hidden], 2)
    await using layers = await openRepository(
      single(
        { ...llamaConfig, tie_word_embeddings: true },
        { 'model.embed_tokens.weight': padded, 'model.norm.weight': norm },
      ),
    )
    const outputs = toyValues(hidden, 11)
    const [logits] = await layers.logits({ shape: [1, hidden], data: outputs })
    expect(logits!.size).toBe(vocabulary)
    expect(logits!.exact(95)).toBeCloseTo(expectedLogits(outputs)[95]!, 4)
    expect(() => layers.embed([vocabulary])).toThrow(RangeError)
  })

  it('normalize embeddings of BLOOM, under names without the prefix', async () => {
    await using layers = await openRepository(
      single(
        { model_type: 'bloom', vocab_size: vocabulary, n_embed: hidden, n_layer: 2 },
        {
          'word_embeddings.weight': embedding,
          'word_embeddings_layernorm.weight': norm,
          'word_embeddings_layernorm.bias': toyTensor([hidden], 5),
          'ln_f.weight': norm,
          'ln_f.bias': toyTensor([hidden], 6),
        },
      ),
    )
    const { data } = layers.embed([4])
    const row = layers.embed([4]).data
    expect(data).toEqual(row)
    const bias = toyValues(hidden, 5)
    const normed = data.map((value, i) => (value - bias[i]!) / norm.values[i]!)
    const mean = normed.reduce((sum, value) => sum + value, 0) / hidden
    const variance = normed.reduce((sum, value) => sum + value * value, 0) / hidden
    expect(mean).toBeCloseTo(0, 4)
    expect(variance).toBeCloseTo(1, 3)
  })

  it('are read from safetensors if a repository has both formats', async () => {
    await using layers = await openRepository({
      ...single(llamaConfig, {
        'model.embed_tokens.weight': embedding,
        'model.norm.weight': norm,
        'lm_head.weight': head,
      }),
      'pytorch_model.bin.index.json':
        '{"weight_map": {"lm_head.weight": "pytorch_model-00001-of-00001.bin"}}',
    })
    expect(layers.embed([1]).shape).toEqual([1, hidden])
  })

  it('are read from PyTorch pickles', async () => {
    const pickled = await readFile(new URL('../../fixtures/pytorch-model.bin', import.meta.url))
    const opening = openRepository({
      'config.json': JSON.stringify(llamaConfig),
      'pytorch_model.bin': pickled,
    })
    // The file was read: the model's tensor is missing, the format is known.
    await expect(opening).rejects.toThrow(/no tensor named model\.embed_tokens\.weight/)
  })

  it.each([
    ['no config', { 'config.json': undefined }, /no config\.json/],
    ['a truncated config', { 'config.json': '{"model_type": "lla' }, /config\.json .* is not JSON/],
    [
      'no weights',
      { 'model.safetensors': undefined },
      /no weights that can be read: none of model\.safetensors/,
    ],
    ['an index without a map', { 'model.safetensors.index.json': '{}' }, /has no weight_map/],
    [
      'an index that leads elsewhere',
      { 'model.safetensors.index.json': '{"weight_map": {"model.embed_tokens.weight": "../../secret"}}' },
      /secret/,
    ],
  ])('refuse %s', async (_, change, message) => {
    const files = single(llamaConfig, {
      'model.embed_tokens.weight': embedding,
      'model.norm.weight': norm,
      'lm_head.weight': head,
    })
    const left = Object.entries({ ...files, ...change }).filter((entry) => entry[1] !== undefined)
    const opening = openRepository(Object.fromEntries(left) as Record<string, string>)
    await expect(opening).rejects.toThrow(message)
    await expect(opening).rejects.toBeInstanceOf(ModelUnavailableError)
  })

  it.each([
    ['lm_head.weight', undefined, /no tensor named lm_head\.weight/],
    ['lm_head.weight', toyTensor([vocabulary, hidden + 1], 1), /lm_head\.weight .* \[96, 81\].* \[96, 80\]/],
    ['lm_head.weight', toyTensor([vocabulary - 1, hidden], 1), /lm_head\.weight .* \[95, 80\]/],
    ['model.norm.weight', toyTensor([hidden, 1], 1), /model\.norm\.weight .* \[80, 1\].* \[80\]/],
  ])('refuse the tensor %s', async (name, tensor, message) => {
    const tensors = {
      'model.embed_tokens.weight': embedding,
      'model.norm.weight': norm,
      'lm_head.weight': head,
      [name]: tensor,
    }
    const left = Object.entries(tensors).filter((entry) => entry[1] !== undefined)
    const opening = openRepository(single(llamaConfig, Object.fromEntries(left) as typeof blocks))
    await expect(opening).rejects.toThrow(message)
  })

  it('close their files when they are closed, and when opening fails', async () => {
    if (process.platform !== 'linux') return
    const tensors = {
      'model.embed_tokens.weight': embedding,
      'model.norm.weight': norm,
      'lm_head.weight': head,
    }
    const openFiles = async (): Promise<number> => {
      const names = await Promise.all(
        (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
      )
      return names.filter((name) => name.startsWith(hubStore.folder)).length
    }
    {
      await using _ = await openRepository(single(llamaConfig, tensors))
      expect(await openFiles()).toBeGreaterThan(0)
    }
    expect(await openFiles()).toBe(0)
    const noFolder = path.join(hubStore.folder, 'file')
    await writeFile(noFolder, '')
    await expect(openRepository(single(llamaConfig, tensors), { folder: noFolder })).rejects.toThrow(
      /can't be kept/,
    )
    expect(await openFiles()).toBe(0)
  })
})
