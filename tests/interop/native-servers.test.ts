import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DeepPrompts } from '../../packages/blocks/src/engine/block-engine.ts'
import { ToyEngine } from '../../packages/blocks/src/fixtures/toy-engine.ts'
import { startBlockServer, type BlockServer } from '../../packages/blocks/src/server/block-server.ts'
import { runToyBlocks, toyBlocks } from '../../packages/petals/src/testing/toy-block.ts'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { runPetalsClient } from './support/python-client.ts'

// The server without Python against Petals' own programs. Its engine computes toy blocks here, so that every output is known.

const model = findModel('stories15M')
const steps = [7, 1, 1, 3]
const tokens = steps.reduce((sum, count) => sum + count, 0)
/** More than 1 MiB of hidden states, which Python sends in a stream. */
const repeats = 80

let modelFolder: string
let hiddenSize: number
const resources = new AsyncDisposableStack()
const servers: BlockServer[] = []

beforeAll(async () => {
  modelFolder = await ensureModel(model)
  const config = await readFile(path.join(modelFolder, 'config.json'), 'utf8')
  hiddenSize = (JSON.parse(config) as { readonly hidden_size: number }).hidden_size
  for (const [start, end] of [
    [0, 4],
    [3, 6],
  ] as const)
    servers.push(resources.use(await serve(start, end)))
})
afterAll(() => resources.disposeAsync())

const serve = (start: number, end: number): Promise<BlockServer> =>
  startBlockServer({
    model: { dhtPrefix: model.dhtPrefix, numBlocks: model.blocks },
    blocks: { start, end },
    openEngine: async (blocks) => new ToyEngine({ ...blocks, hiddenSize, cacheTokens: 100_000 }),
    initialPeers: servers[0]?.addresses ?? [],
    listen: ['/ip4/127.0.0.1/tcp/0'],
    reach: 'direct',
    version: '0.0.0',
  })

const inputs = (): readonly (readonly number[])[] =>
  Array.from({ length: tokens }, (_, i) =>
    Array.from({ length: hiddenSize }, (_, j) => Math.fround(Math.sin(i * 31 + j))),
  )

const toy = (rows: readonly (readonly number[])[]): Float32Array =>
  runToyBlocks(
    toyBlocks(0, model.blocks, hiddenSize),
    Float32Array.from(rows.flat()),
    hiddenSize,
    0,
    'float32',
  )

/** Runs the steps on all blocks at once, without a network: [batch, tokens, hidden]. */
async function reference(
  rows: readonly (readonly (readonly number[])[])[],
  { hypoIds, prompts }: { hypoIds?: readonly (readonly number[] | undefined)[]; prompts?: DeepPrompts },
): Promise<Float32Array> {
  const blocks = { start: 0, end: model.blocks }
  const engine = new ToyEngine({ ...blocks, hiddenSize, cacheTokens: 100_000 })
  const batch = rows.length
  await using cache = await engine.openCache({ ...blocks, batch, maxLength: tokens, timeoutMs: 0 })
  const outputs: number[][] = rows.map(() => [])
  for (const [i, count] of steps.entries()) {
    const at = cache.position
    const states = Float32Array.from(rows.flatMap((row) => row.slice(at, at + count).flat()))
    const first = i === 0 && prompts ? { prompts } : {}
    const out = await cache.step({ ...blocks, batch, tokens: count, states, hypoIds: hypoIds?.[i], ...first })
    const length = count * hiddenSize
    outputs.forEach((values, row) => values.push(...out.subarray(row * length, (row + 1) * length)))
  }
  return Float32Array.from(outputs.flat())
}

interface ClientResult {
  readonly outputs: readonly (readonly number[])[]
  readonly route: readonly (readonly [string, number, number])[]
  readonly reordered: readonly (readonly number[])[]
  readonly prompted: readonly (readonly number[])[]
  readonly forward: readonly (readonly number[])[]
  readonly longForward: readonly (readonly number[])[]
  readonly backwardError: string | null
  readonly tooLong: string | null
}

describe("Petals' client on servers without Python, in a swarm that they started", () => {
  let result: ClientResult
  beforeAll(async () => {
    const request = {
      model: modelFolder,
      dhtPrefix: model.dhtPrefix,
      initialPeers: servers[0]!.addresses,
      inputs: inputs(),
      steps,
      repeats,
    }
    result = await runPetalsClient<ClientResult>('native_servers.py', request)
  })

  it('runs a session over both of them, with a part of the blocks of the second', () => {
    const [first, second] = servers.map(({ peer }) => peer)
    expect(result.route).toEqual([
      [first, 0, 4],
      [second, 4, 6],
    ])
    expect(result.outputs.flat()).toEqual([...toy(inputs())])
  })

  it('pushes outputs to the next server, so that each step is computed once wherever it came from', () => {
    const { tokens: computed } = servers[1]!.status().activity
    expect(computed).toBe(servers[0]!.status().activity.tokens)
  })

  it('reorders the rows of the cache, as beam search does', async () => {
    const negated = inputs().map((row) => row.map((value) => -value))
    const expected = await reference([inputs(), negated], { hypoIds: [undefined, [1, 0]] })
    expect(result.reordered.flat()).toEqual([...expected])
  })

  it('adds deep prompts to the inputs of each block', async () => {
    const values = Float32Array.from({ length: model.blocks * 2 * hiddenSize }, (_, i) => i / 1000)
    const expected = await reference([inputs()], { prompts: { length: 2, values } })
    expect(result.prompted.flat()).toEqual([...expected])
    expect(result.prompted.flat()).not.toEqual(result.outputs.flat())
  })

  it('runs passes without a session, in one call and in a stream of parts', () => {
    expect(result.forward.flat()).toEqual([...toy(inputs())])
    expect(result.longForward.flat()).toEqual([...toy(Array.from({ length: repeats }, inputs).flat())])
  })

  it('tells a trainer in words that it computes no gradients, and a client what was wrong', () => {
    expect(result.backwardError).toMatch(/This server computes no gradients/)
    expect(result.tooLong).toMatch(/Cannot allocate KV cache for 9000 tokens, max = 2048/)
  })
})
