import { ContextLengthError, GenerationFailedError } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RpcError } from '../errors.ts'
import type { Span } from '../blocks/spans.ts'
import { parsePeerId, type PeerId } from '../p2p/peer-id.ts'
import { expectIdentical, runInputs } from '../testing/dialogue.ts'
import { FakeSwarm, type SwarmClient } from '../testing/fake-swarm.ts'
import { Recovery } from './recovery.ts'
import { RouteProgress } from './route-progress.ts'
import { ServerLimits } from './server-limits.ts'

/** Tokens of the sessions below: what the first step needs, and as much again as the opener adds. */
const asked = 320

const bannedForMs = (client: SwarmClient, peer: string): number =>
  client.router.status().find((server) => server.peer === peer)!.bannedForMs

/** What a server can say when a session opens, although it can't be true. */
const lies: readonly ((maxLength: number) => string)[] = [
  (length) => `Cannot allocate KV cache for ${length} tokens, max = 0`,
  (length) => `Cannot allocate KV cache for ${length} tokens, max = 31`,
  (length) => `Cannot allocate KV cache for ${length} tokens, max = ${length}`,
  () => 'Cannot allocate KV cache for 9000 tokens, max = 256',
  () => "Task size greater than max_batch_size (0), it can't be processed",
  () => "Task size greater than max_batch_size (64), it can't be processed",
  (length) => `Maximum length exceeded: prefix 0 + current 1 exceeds pre-allocated maximum ${length}`,
  () => 'session id 0d6f is not unique',
  () => 'hypo ids must be int64, got float32',
  () => 'not enough values to unpack (expected at least 3, got 1)',
  () => 'rpc_inference metadata must contain int max_length, got None',
]

describe('what a server says counts for that server alone', () => {
  let swarm: FakeSwarm
  beforeEach(async () => {
    swarm = await FakeSwarm.start()
  })
  afterEach(() => swarm[Symbol.asyncDispose]())

  it(`${lies.length} reasons to refuse a session that can't be true are a ban, and nothing is learnt from them`, async () => {
    const liar = await swarm.addServer(0, 6, { inferenceRps: 1000 })
    const honest = await swarm.addServer(0, 6)
    const client = await swarm.connect()
    // Whatever their measured speeds, the liar is tried first.
    client.router.verdicts.dispute([honest.id], 0)
    for (const lie of lies) {
      client.router.reportSuccess(liar.id)
      liar.refusal = lie
      await using session = client.openSession()
      await expectIdentical(swarm, session, [swarm.inputs(40), swarm.inputs(1, 2)])
      expect(bannedForMs(client, liar.id), lie(asked)).toBeGreaterThan(0)
      expect(client.context.limits.sessionTokens(liar.id), lie(asked)).toBe(Infinity)
      expect(client.context.limits.requestTokens(honest.id)).toBe(Infinity)
    }
    expect(liar.requestedLengths.every((length) => length === asked)).toBe(true)
  })

  it('a limit of one server does not make requests to others smaller', async () => {
    const small = await swarm.addServer(0, 3, { maxRequestTokens: 32 })
    const large = await swarm.addServer(3, 6)
    const client = await swarm.connect()
    await runInputs(client.openSession(), [swarm.inputs(128)])
    const steps = [small.stepCount, large.stepCount]
    const inputs = [swarm.inputs(256, 3)]
    expect(await runInputs(client.openSession(), inputs)).toEqual(swarm.expected(...inputs))
    expect(small.stepCount - steps[0]!).toBe(8)
    expect(client.context.limits.requestTokens(large.id)).toBe(Infinity)
  })

  it('a server that contradicts the limit it named before is banned', async () => {
    const liar = await swarm.addServer(0, 6, { inferenceRps: 1000 })
    await swarm.addServer(0, 6)
    liar.intercept = async ({ tokens, call }) => {
      if (tokens <= 32) return false
      const limit = 100 - liar.sessionsEver
      await call.fail(`Task size greater than max_batch_size (${limit}), it can't be processed`)
      return true
    }
    const client = await swarm.connect()
    await expectIdentical(swarm, client.openSession(), [swarm.inputs(300)])
    expect(liar.sessionsEver).toBe(2)
    expect(bannedForMs(client, liar.id)).toBeGreaterThan(0)
  })

  it('a server that is known to allow shorter sessions only is not asked for longer ones again', async () => {
    const short = await swarm.addServer(0, 6, { inferenceRps: 1000, maxSessionLength: 100 })
    await swarm.addServer(0, 6)
    const client = await swarm.connect()
    for (let i = 1; i <= 3; i++) await expectIdentical(swarm, client.openSession(), [swarm.inputs(200, i)])
    expect(short.requestedLengths).toHaveLength(1)
    await expectIdentical(swarm, client.openSession(), [swarm.inputs(20)])
    expect(short.requestedLengths).toEqual([expect.any(Number), 100])
  })

  it('sessions that learn a limit at the same time do not count as errors of the server', async () => {
    const server = await swarm.addServer(0, 6, { maxSessionLength: 100, maxRequestTokens: 40 })
    const client = await swarm.connect({ maxRetries: 0 })
    const answers = Array.from({ length: 8 }, (_, i) =>
      expectIdentical(swarm, client.openSession(), [swarm.inputs(60, i + 1)]),
    )
    await Promise.all(answers)
    expect(server.requestedLengths.filter((length) => length > 100)).toHaveLength(8)
    expect(bannedForMs(client, server.id)).toBe(0)
  })

  it('a server whose connection is lost may come back with another limit', async () => {
    const server = await swarm.addServer(0, 6)
    let limit = 64
    server.intercept = async ({ tokens, call }) => {
      if (tokens <= limit) return false
      await call.fail(`Task size greater than max_batch_size (${limit}), it can't be processed`)
      return true
    }
    const client = await swarm.connect()
    await using session = client.openSession()
    await expectIdentical(swarm, session, [swarm.inputs(100), swarm.inputs(100, 1)], (step) => {
      if (step === 0) return
      expect(client.context.limits.requestTokens(server.id)).toBe(64)
      limit = 32
      server.peer.cutConnections()
    })
    expect(client.context.limits.requestTokens(server.id)).toBe(32)
  })

  it('an error names the limit only if no other server holds the blocks', async () => {
    await swarm.addServer(0, 3, { maxSessionLength: 100 })
    await swarm.addServer(3, 6)
    const session = (await swarm.connect()).openSession()
    await expect(session.step(swarm.inputs(200))).rejects.toThrow(ContextLengthError)
  })
})

const peer = parsePeerId('QmVkqaunyKCw4NKmWXbsGhkr5CotM8vCBKWyxsh8FGZyfr')
const spanOf = (name: string): Span => ({
  peer: name as PeerId,
  start: 0,
  end: 6,
  server: { state: 'online', throughput: 1, adapters: [] },
})
const refusalOf = (tokens: number): RpcError =>
  new RpcError('rpc_inference', `Cannot allocate KV cache for 9000 tokens, max = ${tokens}`)

it('a limit is believed for a quarter of an hour', () => {
  let now = 0
  const limits = new ServerLimits(() => now)
  expect(limits.learn(refusalOf(2048), peer)).toBe('new')
  expect(limits.learn(refusalOf(2048), peer)).toBe('known')
  expect(limits.learn(refusalOf(1024), peer)).toBe('contradiction')
  expect(limits.shorterThan(4096)).toEqual([peer])
  now = 15 * 60_000
  expect(limits.sessionTokens(peer)).toBe(Infinity)
  expect(limits.shorterThan(4096)).toEqual([])
  expect(limits.learn(refusalOf(1024), peer)).toBe('new')
})

it('a limit of an earlier life of a server does not condemn its next one', () => {
  let now = 0
  const limits = new ServerLimits(() => now)
  expect(limits.learn(refusalOf(2048), peer)).toBe('new')
  now += 59_999
  expect(limits.learn(refusalOf(1024), peer)).toBe('contradiction')
  now += 1
  expect(limits.learn(refusalOf(1024), peer)).toBe('new')
  expect(limits.sessionTokens(peer)).toBe(1024)
  expect(limits.learn(refusalOf(1024), peer)).toBe('known')
  expect(limits.learn(refusalOf(512), peer)).toBe('contradiction')
  limits.forget(peer)
  expect(limits.sessionTokens(peer)).toBe(Infinity)
  expect(limits.learn(refusalOf(512), peer)).toBe('new')
})

describe('progress', () => {
  let now: number
  let recovery: Recovery
  const excuse = refusalOf(64)
  const fail = (fresh: number, replayed: number): void => recovery.expectProgress({ fresh, replayed }, excuse)
  beforeEach(() => {
    now = 0
    recovery = new Recovery({ maxRetries: 10, waitTimeoutMs: 120_000 }, () => now)
  })

  it('must come within a limited time from servers that always have another excuse', () => {
    for (; now <= 240_000; now += 10_000) fail(5, 0)
    expect(() => fail(5, 0)).toThrow(GenerationFailedError)
    fail(6, 0)
    now += 240_000
    fail(6, 0)
  })

  it('is also a replay that is slow but steady, though not for ever', () => {
    let replayed = 0
    for (; now <= 1_920_000; now += 240_000) fail(5, (replayed += 100))
    expect(() => fail(5, (replayed += 100))).toThrow(/for 2160 seconds/)
    fail(6, replayed)
  })

  it('is what a server answers for the first time', () => {
    const progress = new RouteProgress()
    const [first, second] = [spanOf('first'), spanOf('second')]
    const expectCounts = (fresh: number, replayed: number): void =>
      expect(progress).toMatchObject({ fresh, replayed })
    progress.note(first, { from: 0, to: 100, fresh: 100 })
    expectCounts(100, 0)
    progress.note(second, { from: 0, to: 60, fresh: 0 })
    expectCounts(100, 60)
    progress.note(second, { from: 0, to: 60, fresh: 0 })
    progress.note(first, { from: 0, to: 100, fresh: 0 })
    expectCounts(100, 60)
    progress.note(second, { from: 60, to: 101, fresh: 1 })
    expectCounts(101, 100)
    progress.rewind(50)
    progress.note(second, { from: 50, to: 101, fresh: 51 })
    progress.note(first, { from: 0, to: 101, fresh: 0 })
    expectCounts(152, 151)
  })
})
