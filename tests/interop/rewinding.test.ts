import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentMetrics, type Metrics } from '@petals-chat/engine'
import { connectSwarm, type HiddenStates, type InferenceSession } from '@petals-chat/petals/client'
import type { Drafter } from '../../packages/petals/src/drafting/drafter.ts'
import { knowingDrafter } from '../../packages/petals/src/fixtures/any-drafter.ts'
import type { PeerId } from '../../packages/petals/src/p2p/peer-id.ts'
import { seededBits } from '../../packages/petals/src/sampling/random.ts'
import { ServerCapabilities } from '../../packages/petals/src/inference/server-capabilities.ts'
import { findModel } from '../../swarm/models.ts'
import type { SwarmServer } from '../../swarm/server.ts'
import { startSwarm, type Swarm } from '../../swarm/swarm.ts'
import { openSwarmAnswers } from './support/swarm-session.ts'

const { name, dhtPrefix, blocks: numBlocks } = findModel('stories15M')
const hiddenSize = 288
/** Servers are asked whether they can rewind only where more tokens than 64 can be kept. */
const promptTokens = 80

const random = seededBits(3)
const states = (tokens: number): HiddenStates => ({
  shape: [tokens, hiddenSize],
  data: Float32Array.from({ length: tokens * hiddenSize }, () => (random() / 2 ** 32 - 0.5) * 0.2),
})
const joined = (...parts: readonly HiddenStates[]): HiddenStates => ({
  shape: [parts.reduce((sum, { shape }) => sum + shape[0], 0), hiddenSize],
  data: Float32Array.from(parts.flatMap(({ data }) => [...data])),
})
const part = ({ data }: HiddenStates, from: number, to: number): HiddenStates => ({
  shape: [to - from, hiddenSize],
  data: data.slice(from * hiddenSize, to * hiddenSize),
})

/** Steps of other sizes sum in another order, so the same values differ by float32's rounding. */
const tolerance = 1e-4
function expectClose(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length)
  const worst = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0)
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  expect(worst / scale).toBeLessThan(tolerance)
}

/** Counts the tokens that servers were sent by this client, for all spans together. */
function countingTokens(): { readonly metrics: Metrics; take: () => number } {
  let bytes = 0
  const counter: Metrics['counter'] = ({ name: counted }) => ({
    add: (value, labels) => {
      if (counted === 'petals_span_bytes_total' && labels?.['direction'] === 'sent') bytes += value
    },
  })
  const take = (): number => {
    const tokens = bytes / hiddenSize / 4
    bytes = 0
    return tokens
  }
  return { metrics: { ...silentMetrics, counter }, take }
}

describe('servers that rewind', () => {
  let swarm: Swarm
  /** A server that can't rewind. */
  let plain: SwarmServer | undefined
  beforeAll(async () => {
    swarm = await startSwarm({ model: name, canRewind: true })
  })
  afterAll(() => swarm?.[Symbol.asyncDispose]())

  const connect = (config: object = {}, metrics?: Metrics) =>
    connectSwarm({ initialPeers: [...swarm.initialPeers], audit: 'off', ...config }, { metrics })

  it.each([
    ['relayed', 'never'],
    ['with push', 'always'],
  ] as const)('keep what was run up to the position of a rewind, %s', async (_title, serverToServer) => {
    const counted = countingTokens()
    await using client = await connect({ serverToServer }, counted.metrics)
    const model = client.openModel({ dhtPrefix, numBlocks, hiddenSize })
    const [prompt, drafts, others] = [states(promptTokens), states(8), states(5)]
    const kept = part(drafts, 0, 3)
    const inOneStep = async (all: HiddenStates): Promise<Float32Array> => {
      await using session = model.openSession({ maxLength: 128 })
      return (await session.step(all)).data.slice(-5 * hiddenSize)
    }
    const expected = await inOneStep(joined(prompt, kept, others))

    await using session: InferenceSession = model.openSession({ maxLength: 128 })
    await session.step(prompt)
    await session.step(states(1)) // pushes begin when all sessions are open
    session.rewind(promptTokens)
    await session.step(drafts)
    counted.take()
    session.rewind(promptTokens + 3)
    const { data } = await session.step(others)
    expectClose(data, expected)
    expect(session.pushed).toBe(serverToServer === 'always')
    // The five new tokens to each server, or to the first one alone: none again.
    expect(counted.take()).toBe(serverToServer === 'always' ? 5 : 10)
    expect(session.failovers).toEqual([])
  })

  it('are found by a trial, and a server that only announces their version is not taken for one', async () => {
    plain = await swarm.add({ start: 0, end: numBlocks / 2, canRewind: false })
    await using client = await connect()
    const { directory } = client.openModel({ dhtPrefix, numBlocks, hiddenSize })
    const spans = await directory.findSpans({ complete: true })
    const capabilities = new ServerCapabilities({ rpc: client.rpc, dhtPrefix, hiddenSize })
    const found = await Promise.all(
      spans.map(async (span) => {
        const claiming = { ...span, server: { ...span.server, version: '2.3.0.dev2' } }
        return [span.peer, span.server.version, await capabilities.canRewind(claiming)]
      }),
    )
    const expected = swarm.servers.map(({ peerId }) =>
      peerId === plain!.peerId ? [peerId, '2.2.0.post1', false] : [peerId, '2.3.0.dev2', true],
    )
    expect(found.toSorted()).toEqual(expected.toSorted())
  })

  it('let an answer keep its tokens, whatever is guessed, also when one of them dies in a step with drafts', async () => {
    await using opened = new AsyncDisposableStack()
    const blockedServers = plain ? [plain.peerId as PeerId] : []
    const client = opened.use(await connect({ blockedServers }))
    const model = client.openModel({ dhtPrefix, numBlocks, hiddenSize })
    const answers = opened.use(await openSwarmAnswers(swarm.modelFolder, model))
    const prompt = answers.tokenizer.encode('Once upon a time, there was a little dragon who')
    const answer = (createDrafter?: () => Drafter, atToken?: (count: number) => void) =>
      answers.answer({ prompt, count: 96, createDrafter, atToken })

    const { ids } = await answer()
    const guessing = (errors: number) => () => knowingDrafter([...prompt, ...ids], { errors })
    for (const errors of [0, 0.3]) {
      const { drafts, ...drafted } = await answer(guessing(errors))
      expect(drafted).toEqual({ ids, failovers: 0 })
      expect(drafts.accepted).toBeGreaterThan(20)
      expect(drafts.rejected > 0).toBe(errors > 0)
    }

    const { start, end } = swarm.servers[1]!
    await swarm.add({ start, end, canRewind: true })
    const killed = await answer(guessing(0.3), (count) => {
      if (count === 40) swarm.servers[1]!.signal('SIGKILL')
    })
    expect(killed.ids).toEqual(ids)
    expect(killed.failovers).toBeGreaterThan(0)
  })
})
