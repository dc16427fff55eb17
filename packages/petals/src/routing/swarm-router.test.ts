import { MissingBlocksError, silentLogger } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BlockDirectory } from '../blocks/block-directory.ts'
import type { AnnouncedSpan, Span } from '../blocks/spans.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import { ConnectionLostError, DeadlineExceededError, RpcError } from '../errors.ts'
import { peerIdFromBytes, type PeerId } from '../p2p/peer-id.ts'
import type { Router } from './router.ts'
import { createRouter, type RouterOptions } from './swarm-router.ts'

const peerOf = (index: number): PeerId => {
  const bytes = new Uint8Array(34).fill(7)
  bytes.set([0x12, 32])
  new DataView(bytes.buffer).setUint32(2, index)
  return peerIdFromBytes(bytes)!
}
const [a, b, c] = [peerOf(0), peerOf(1), peerOf(2)]
const whole = { start: 0, end: 4 }
const gone = new ConnectionLostError('gone')

class ScriptedDirectory implements BlockDirectory {
  readonly dhtPrefix = 'm-hf'
  readonly numBlocks = 4
  ageMs = 0
  refreshes = 0
  spans: AnnouncedSpan[] = []
  onRefresh: () => void = () => {}

  hold(peer: PeerId, start: number, end: number, server: Partial<Span['server']> = {}): void {
    const info = { state: 'online', throughput: 1, adapters: [], ...server } as const
    this.spans.push({ peer, start, end, server: info, expirationTime: 0 })
  }
  findSpans = async (): Promise<readonly Span[]> =>
    this.spans.filter(({ server }) => server.state === 'online')
  async refresh(): Promise<void> {
    this.refreshes++
    this.onRefresh()
  }
  snapshot = () => ({ spans: this.spans, ageMs: this.ageMs })
  async [Symbol.asyncDispose](): Promise<void> {}
}

let directory: ScriptedDirectory
let pings: Map<PeerId, number | Error>
let pinged: PeerId[]
let router: Router

const dht: DhtClient = {
  async ping(peer) {
    pinged.push(peer)
    const answer = pings.get(peer) ?? gone
    if (answer instanceof Error) throw answer
    return answer
  },
  getMany: () => Promise.resolve(new Map()),
  hasAnswered: (peer) => pings.has(peer),
  now: () => 0,
}

const make = (options: Partial<RouterOptions> = {}): Router => {
  const defaults = { banTimeoutMs: 15_000, pingTimeoutMs: 100, maxPinged: 3, updateIntervalMs: 60_000 }
  return createRouter({ directory, dht, ...defaults, ...options })
}

beforeEach(() => {
  directory = new ScriptedDirectory()
  pings = new Map()
  pinged = []
  router = make()
})
afterEach(() => router[Symbol.asyncDispose]())

const peersOf = async (options?: Parameters<Router['route']>[1]): Promise<readonly PeerId[]> =>
  (await router.route(whole, options)).map(({ peer }) => peer)

describe('routes', () => {
  it('the first route uses round trips if there is a choice', async () => {
    directory.hold(a, 0, 4)
    directory.hold(b, 0, 4)
    pings.set(a, 400).set(b, 10)
    await expect(peersOf()).resolves.toEqual([b])
  })

  it('the first route does not wait for slow round trips', async () => {
    directory.hold(a, 0, 4)
    directory.hold(b, 0, 4)
    const ping: DhtClient['ping'] = (_, { signal } = {}) =>
      new Promise((_resolve, reject) => signal!.addEventListener('abort', reject))
    await using slowRouter = make({ dht: { ...dht, ping } })
    await expect(slowRouter.route(whole)).resolves.toHaveLength(1)
  })

  it('servers with too little free KV cache are avoided', async () => {
    directory.hold(a, 0, 4, { cacheTokensLeft: 100, inferenceRps: 1000 })
    directory.hold(b, 0, 4, { cacheTokensLeft: 100_000, inferenceRps: 100 })
    pings.set(a, 10).set(b, 10)
    await expect(peersOf({ cacheTokens: 12 })).resolves.toEqual([a])
    await expect(peersOf({ cacheTokens: 13 })).resolves.toEqual([b])
  })

  it('a banned server has no room for sessions, unless it is the only one', async () => {
    const fit = (): number => router.sessionsThatFit(whole, 10, () => 0)
    directory.hold(a, 0, 4, { cacheTokensLeft: 2 * 4 * 40 })
    directory.hold(b, 0, 4, { cacheTokensLeft: 2 * 4 * 30 })
    pings.set(a, 10).set(b, 10)
    await router.route(whole)
    expect(fit()).toBe(7)
    router.reportFailure(a, gone)
    expect(fit()).toBe(3)
    router.reportFailure(b, gone)
    expect(fit()).toBe(7)
    router.reportSuccess(a)
    expect(fit()).toBe(4)
  })

  it('only allowed servers with the adapter are used', async () => {
    directory.hold(a, 0, 4)
    directory.hold(b, 0, 4, { adapters: ['lora'] })
    await using allowing = make({ allowed: new Set([b]) })
    expect((await allowing.route(whole)).map(({ peer }) => peer)).toEqual([b])
    await using adapting = make({ adapter: 'lora' })
    expect((await adapting.route(whole)).map(({ peer }) => peer)).toEqual([b])
    await using neither = make({ blocked: new Set([b]), adapter: 'lora' })
    await expect(neither.route(whole)).rejects.toThrow(
      /that the configuration allows, with the adapter lora,/,
    )
  })

  it('a server that was found wrong is not used, even where there is no other', async () => {
    directory.hold(a, 0, 4)
    directory.hold(b, 0, 4)
    pings.set(a, 10).set(b, 400)
    router.verdicts.convict(a, [b, c], 0.05)
    router.reportSuccess(a)
    await expect(peersOf()).resolves.toEqual([b])
    expect(router.status()[0]).toMatchObject({ usable: false, verdict: { kind: 'wrong', against: [b, c] } })
    router.verdicts.convict(b, [c], 0.05)
    await expect(router.route(whole)).rejects.toThrow(
      /blocks 0-3 .* 2 servers .* spot checks \(swarm.audit\)/,
    )
  })

  it('disputed servers are used only for blocks that no other server holds', async () => {
    directory.hold(a, 0, 4)
    directory.hold(b, 0, 4)
    pings.set(a, 10).set(b, 400)
    router.verdicts.dispute([a, c], 0.05)
    await expect(peersOf()).resolves.toEqual([b])
    router.verdicts.dispute([a, b], 0.05)
    await expect(peersOf()).resolves.toEqual([a])
    router.verdicts.agree([a, b])
    expect(router.status().map(({ verdict }) => verdict)).toEqual([undefined, undefined])
  })

  it('the shortest policy takes the fewest hops', async () => {
    directory.hold(a, 0, 2, { inferenceRps: 1e5 })
    directory.hold(b, 2, 4, { inferenceRps: 1e5 })
    directory.hold(c, 0, 4, { inferenceRps: 1 })
    pings.set(a, 1).set(b, 1).set(c, 1)
    await expect(peersOf()).resolves.toEqual([a, b])
    await expect(peersOf({ policy: 'shortest' })).resolves.toEqual([c])
  })

  it('ten thousand forged servers do not hide the real ones', async () => {
    for (let i = 10; i < 10_010; i++) directory.hold(peerOf(i), 0, 4, { inferenceRps: 1e6 })
    directory.hold(a, 0, 2, { inferenceRps: 100 })
    directory.hold(b, 2, 4, { inferenceRps: 100 })
    pings.set(a, 1).set(b, 1)
    await expect(peersOf()).resolves.toEqual([a, b])
  })
})

describe('missing blocks', () => {
  it('are named in an error that says what the user can do', async () => {
    directory.hold(a, 0, 1)
    directory.hold(b, 3, 4)
    const failure = await router.route(whole).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(MissingBlocksError)
    expect(failure).toMatchObject({ blocks: [1, 2] })
    expect((failure as Error).message).toMatch(
      /No server is online that holds blocks 1-2 of 'm-hf'.*If you have a GPU/,
    )
  })

  it('are looked up again before the error, unless the directory is fresh', async () => {
    directory.ageMs = 10_000
    directory.onRefresh = () => directory.hold(a, 0, 4)
    await expect(peersOf()).resolves.toEqual([a])
    directory.spans = []
    directory.ageMs = 100
    await expect(peersOf()).rejects.toThrow(MissingBlocksError)
    expect(directory.refreshes).toBe(1)
  })

  it('a route over a part of the model needs only its blocks', async () => {
    directory.hold(a, 1, 3)
    await expect(router.route({ start: 1, end: 3 })).resolves.toMatchObject([{ peer: a, start: 1, end: 3 }])
  })
})

describe('failures', () => {
  beforeEach(() => {
    directory.hold(a, 0, 4, { inferenceRps: 1000 })
    directory.hold(b, 0, 4, { inferenceRps: 100 })
    pings.set(a, 10).set(b, 10)
  })

  it('the next route avoids the server', async () => {
    await expect(peersOf()).resolves.toEqual([a])
    router.reportFailure(a, gone)
    await expect(peersOf()).resolves.toEqual([b])
    expect(router.status().map(({ peer, bannedForMs }) => [peer, bannedForMs > 0])).toEqual([
      [a, true],
      [b, false],
    ])
    router.reportSuccess(a)
    await expect(peersOf()).resolves.toEqual([a])
  })

  it('at a limit of the server are no reason for a ban', async () => {
    router.reportFailure(a, new RpcError('m', 'Cannot allocate KV cache for 9000 tokens, max = 8192'))
    await expect(peersOf()).resolves.toEqual([a])
  })

  it('a full server is avoided for a while', async () => {
    router.reportFailure(a, new RpcError('m', 'Could not allocate 1 bytes immediately: out of memory'))
    await expect(peersOf()).resolves.toEqual([b])
  })

  it('if all servers have failed, they are tried again', async () => {
    router.reportFailure(a, gone)
    router.reportFailure(b, gone)
    await expect(peersOf()).resolves.toEqual([a])
  })

  it('the DHT is asked when the last server of a block fails, or when a server has moved', async () => {
    directory.ageMs = 10_000
    router.reportFailure(a, gone)
    expect(directory.refreshes).toBe(0)
    router.reportFailure(b, gone)
    expect(directory.refreshes).toBe(1)
    router.reportFailure(b, new RpcError('m', 'Remote peer does not serve m-hf.0'))
    expect(directory.refreshes).toBe(2)
  })

  it('new servers are looked up before failed ones are tried again', async () => {
    directory.ageMs = 10_000
    directory.onRefresh = () => directory.hold(c, 0, 4)
    pings.set(c, 10)
    await expect(
      peersOf({
        avoid: new Map([
          [a, 1],
          [b, 1],
        ]),
      }),
    ).resolves.toEqual([c])
  })

  it('of two failed servers, the one that failed earlier is tried first', async () => {
    router.reportFailure(a, gone)
    router.reportFailure(b, gone)
    await expect(peersOf({ avoid: new Map([[a, 1]]) })).resolves.toEqual([b])
    await expect(peersOf({ avoid: new Map([[b, 1]]) })).resolves.toEqual([a])
  })

  it('late servers are preferred to failed ones, and failed ones to unreachable ones', async () => {
    const late = new DeadlineExceededError('A step', 2000)
    const wrong = new RpcError('m', 'CUDA error')
    router.reportFailure(a, gone)
    router.reportFailure(b, late)
    await expect(peersOf()).resolves.toEqual([b])
    const inThisStep = (ofA: number, ofB: number) => ({
      avoid: new Map([
        [a, ofA],
        [b, ofB],
      ]),
    })
    await expect(peersOf(inThisStep(2, 1))).resolves.toEqual([b])
    // A server that keeps failing comes after the unreachable one, which is quickly tried.
    await expect(peersOf(inThisStep(2, 3))).resolves.toEqual([a])
    await using other = make()
    other.reportFailure(a, wrong)
    other.reportFailure(b, late)
    expect((await other.route(whole)).map(({ peer }) => peer)).toEqual([b])
    await using third = make()
    third.reportFailure(a, wrong)
    third.reportFailure(b, gone)
    expect((await third.route(whole)).map(({ peer }) => peer)).toEqual([a])
  })

  it('lateness does not double the ban', async () => {
    for (let i = 0; i < 5; i++) router.reportFailure(a, new DeadlineExceededError('A step', 2000))
    expect(router.status()[0]!.bannedForMs).toBeLessThanOrEqual(15_000)
  })

  it('the status includes failures and answers since the last ping', async () => {
    await router.check()
    const life = () => router.status().map(({ alive, rttSeconds }) => [alive, rttSeconds])
    expect(life()).toEqual([
      [true, 0.01],
      [true, 0.01],
    ])
    router.reportFailure(a, gone)
    router.reportFailure(b, new DeadlineExceededError('A step', 2000))
    expect(life()).toEqual([
      [false, Infinity],
      [true, 0.01],
    ])
    router.reportSuccess(a)
    expect(life()[0]).toEqual([true, 0.01])
  })

  it('aliveAt is undefined unless every block has had a server that answered', async () => {
    directory.spans = []
    directory.hold(a, 0, 2)
    expect(router.aliveAt([0, 1])).toBeUndefined()
    const before = performance.now()
    router.reportSuccess(a)
    expect(router.aliveAt([0, 1])).toBeGreaterThanOrEqual(before)
    expect(router.aliveAt([1, 2])).toBeUndefined()
  })

  it('a check pings every server except those that answered recently', async () => {
    await router.check()
    expect(new Set(pinged)).toEqual(new Set([a, b]))
    pinged.length = 0
    await router.check()
    expect(pinged).toEqual([])
  })

  it('failures are logged with the error', async () => {
    const logged: object[] = []
    const warn = (fields: object): void => void logged.push(fields)
    await using logging = make({ logger: { ...silentLogger, warn } })
    logging.reportFailure(a, gone)
    expect(logged).toEqual([{ peer: a, err: gone, bannedForMs: 15_000 }])
  })

  it('servers that the caller avoids are avoided if possible', async () => {
    await expect(peersOf({ avoid: new Map([[a, 1]]) })).resolves.toEqual([b])
    await expect(
      peersOf({
        avoid: new Map([
          [a, 1],
          [b, 1],
        ]),
      }),
    ).resolves.toEqual([a])
  })
})

describe('provenOnly', () => {
  const crowd = 300

  beforeEach(() => {
    for (let i = 10; i < crowd; i++) directory.hold(peerOf(i), 0, 4, { inferenceRps: 1e5 })
    directory.hold(a, 0, 2)
    directory.hold(b, 2, 4)
  })

  it('finds and takes the servers that answer among all announced ones', async () => {
    const quiet = { ...dht, hasAnswered: () => false }
    await using searching = make({ dht: quiet })
    pings.set(a, 900).set(b, 900)
    const peers = (await searching.route(whole, { provenOnly: true })).map(({ peer }) => peer)
    expect(peers).toEqual([a, b])
    expect(pinged.length).toBeLessThan(crowd + 20)
  })

  it('does not search if servers are known to be alive', async () => {
    pings.set(a, 900).set(b, 900)
    await expect(peersOf({ provenOnly: true, policy: 'shortest' })).resolves.toEqual([a, b])
    expect(pinged.length).toBeLessThan(20)
  })

  it('prefers a server that failed to one that does not exist', async () => {
    pings.set(a, 900).set(b, 900)
    await expect(peersOf({ provenOnly: true, avoid: new Map([[a, 1]]) })).resolves.toEqual([a, b])
  })

  it('leaves blocks without a living server to the servers that announce them', async () => {
    pings.set(a, 900)
    const [first, second] = await peersOf({ provenOnly: true })
    expect(first).toBe(a)
    expect(second).not.toBe(b)
  })
})

it('servers of each part of the model are pinged, unpinged ones first', async () => {
  for (let i = 0; i < 20; i++) directory.hold(peerOf(i), i % 4, (i % 4) + 1)
  for (let i = 0; i < 20; i++) pings.set(peerOf(i), 5)
  await router.route(whole)
  expect(new Set(pinged).size).toBe(9)
})
