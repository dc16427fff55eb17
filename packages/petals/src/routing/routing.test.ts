import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { vectorsOf } from '../../fixtures/vectors.ts'
import { rangeLength } from '../blocks/block-range.ts'
import { missingBlocks, type Span } from '../blocks/spans.ts'
import { ConnectionLostError, PeerUnreachableError, RpcError } from '../errors.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import { parsePeerId, peerIdFromBytes, type PeerId } from '../p2p/peer-id.ts'
import { BanList } from './ban-list.ts'
import { filterSpans, withoutUnwanted } from './candidates.ts'
import { failureKind } from './failure-kind.ts'
import { findFastestRoute, findShortestRoute } from './latency-graph.ts'
import { RoundTrips } from './round-trips.ts'

const peerOf = (index: number): PeerId => {
  const bytes = new Uint8Array(34).fill(7)
  bytes.set([0x12, 32])
  new DataView(bytes.buffer).setUint32(2, index)
  return peerIdFromBytes(bytes)!
}
const span = (index: number, start: number, end: number, server: Partial<Span['server']> = {}): Span => ({
  peer: peerOf(index),
  start,
  end,
  server: { state: 'online', throughput: 1, adapters: [], ...server },
})
const shape = (route: readonly Span[] | undefined) => route?.map(({ peer, start, end }) => [peer, start, end])

describe('the latency graph', () => {
  it.each(vectorsOf('routing/'))('$id, as Petals computes it', (vector) => {
    const peers: PeerId[] = vector.servers.map(({ peer }: { peer: string }) => parsePeerId(peer))
    const spans: Span[] = vector.servers.map((server: Record<string, never>, i: number) => ({
      peer: peers[i]!,
      start: server.start_block,
      end: server.end_block,
      server: {
        state: 'online',
        throughput: 1,
        adapters: [],
        inferenceRps: server.inference_rps,
        cacheTokensLeft: server.cache_tokens_left,
        nextPings: server.next_pings ? new Map(Object.entries(server.next_pings)) : undefined,
      },
    }))
    const rtts = Object.entries(vector.client_rtts as Record<string, number | 'inf'>)
    const first = /(\d+):(\d+)/.exec(vector.description as string)!
    const found = findFastestRoute({
      spans,
      blocks: { start: Number(first[1]), end: Number(first[2]) },
      clientRtts: new Map(rtts.map(([i, rtt]) => [peers[Number(i)]!, rtt === 'inf' ? Infinity : rtt])),
      cacheTokens: vector.cache_tokens_needed ?? undefined,
    })
    expect(shape(found?.route)).toEqual(
      vector.value.spans.map(([i, start, end]: number[]) => [peers[i!], start, end]),
    )
    expect(found?.cost).toBeCloseTo(vector.value.total_cost, 10)
  })

  const anySpans = fc.array(
    fc.tuple(fc.nat(11), fc.integer({ min: 1, max: 12 }), fc.float({ min: 1, max: 1000, noNaN: true })),
    { maxLength: 12 },
  )
  const built = (tuples: readonly (readonly [number, number, number])[]): Span[] =>
    tuples.map(([start, length, inferenceRps], i) =>
      span(i, start, Math.min(start + length, 12), { inferenceRps }),
    )
  const expectRoute = (route: readonly Span[], spans: readonly Span[]): void => {
    let at = 0
    for (const part of route) {
      expect(part.start).toBe(at)
      expect(rangeLength(part)).toBeGreaterThan(0)
      const whole = spans.find(({ peer }) => peer === part.peer)!
      expect(whole.start <= part.start && part.end <= whole.end).toBe(true)
      at = part.end
    }
    expect(at).toBe(12)
  }

  it('both policies find a route exactly if no block is missing; the shortest has no more hops', () => {
    const property = fc.property(anySpans, (tuples) => {
      const spans = built(tuples)
      const blocks = { start: 0, end: 12 }
      const fastest = findFastestRoute({ spans, blocks, clientRtts: new Map() })?.route
      const shortest = findShortestRoute(spans, blocks)
      const covered = missingBlocks(spans, blocks).length === 0
      expect(fastest !== undefined).toBe(covered)
      expect(shortest !== undefined).toBe(covered)
      if (!fastest || !shortest) return
      expectRoute(fastest, spans)
      expectRoute(shortest, spans)
      expect(shortest.length).toBeLessThanOrEqual(fastest.length)
    })
    fc.assert(property, { numRuns: 500 })
  })

  it('no other route of the same graph is faster', () => {
    const overhead = 0.018
    const everyRoute = function* (
      spans: readonly Span[],
      at: number,
      last?: Span,
    ): Generator<readonly Span[]> {
      if (at === 12) yield []
      for (const next of spans.filter((s) => s.start <= at && at < s.end && s !== last)) {
        for (const rest of everyRoute(spans, next.end, next)) yield [{ ...next, start: at }, ...rest]
      }
    }
    const costOf = (route: readonly Span[]): number =>
      route.reduce((sum, part) => sum + 0.15 + overhead + rangeLength(part) / part.server.inferenceRps!, 0.15)
    const property = fc.property(
      anySpans.filter(({ length }) => length <= 7),
      (tuples) => {
        const spans = built(tuples)
        const found = findFastestRoute({ spans, blocks: { start: 0, end: 12 }, clientRtts: new Map() })
        if (!found) return
        expect(found.cost).toBeCloseTo(costOf(found.route), 8)
        for (const route of everyRoute(spans, 0)) expect(found.cost).toBeLessThanOrEqual(costOf(route) + 1e-9)
      },
    )
    fc.assert(property, { numRuns: 200 })
  })

  it('a server that announces infinite speed gains no more than others can', () => {
    const spans = [span(0, 0, 12, { inferenceRps: 1e6 }), span(1, 0, 12, { inferenceRps: 100 })]
    const clientRtts = new Map([
      [peerOf(0), Infinity],
      [peerOf(1), 0.01],
    ])
    expect(shape(findFastestRoute({ spans, blocks: { start: 0, end: 12 }, clientRtts })?.route)).toEqual([
      [peerOf(1), 0, 12],
    ])
  })
})

describe('bans', () => {
  it('double with each failure after a ban has expired; one success clears the record', () => {
    let now = 0
    const bans = new BanList(15_000, () => now)
    expect(bans.reportFailure(peerOf(0))).toBe(true)
    expect(bans.remainingMs(peerOf(0))).toBe(15_000)
    expect(bans.reportFailure(peerOf(0))).toBe(false)
    expect(bans.remainingMs(peerOf(0))).toBe(15_000)
    now = 15_000
    expect(bans.isBanned(peerOf(0))).toBe(false)
    bans.reportFailure(peerOf(0))
    expect(bans.remainingMs(peerOf(0))).toBe(30_000)
    bans.reportSuccess(peerOf(0))
    expect(bans.isBanned(peerOf(0))).toBe(false)
    bans.reportFailure(peerOf(0))
    expect(bans.remainingMs(peerOf(0))).toBe(15_000)
  })

  it('a pause does not count as a failure', () => {
    let now = 0
    const bans = new BanList(15_000, () => now)
    bans.pause(peerOf(0))
    now = 15_000
    bans.pause(peerOf(0))
    expect(bans.remainingMs(peerOf(0))).toBe(15_000)
  })
})

it.each<[unknown, string]>([
  [new ConnectionLostError('gone'), 'server'],
  [new RpcError('m', ''), 'server'],
  [new RpcError('m', 'CUDA error'), 'server'],
  [new RpcError('m', 'Remote peer does not serve m-hf.3'), 'moved'],
  [new RpcError('m', 'Could not allocate 123 bytes immediately: out of memory'), 'full'],
  [new RpcError('m', 'Could not allocate 123 bytes, max cache size = 5 bytes'), 'full'],
  [new RpcError('m', "Server's attention cache is full, failed to allocate 1 bytes in 2 seconds"), 'full'],
  [new RpcError('m', 'Cannot allocate KV cache for 9000 tokens, max = 8192'), 'limit'],
  [
    new RpcError('m', 'Maximum length exceeded: prefix 3 + current 2 exceeds pre-allocated maximum 4'),
    'server',
  ],
  [new RpcError('m', "Task size greater than max_batch_size (8192), it can't be processed"), 'limit'],
  [new RpcError('m', 'session id x is not unique'), 'server'],
])('the kind of %s is %s', (error, kind) => {
  expect(failureKind(error)).toBe(kind)
})

describe('candidates', () => {
  it('are filtered by allowed and blocked servers, and by the adapter', () => {
    const spans = [
      span(0, 0, 1),
      span(1, 0, 1, { adapters: ['lora'] }),
      span(2, 0, 1, { adapters: ['lora'] }),
    ]
    const peers = (filter: Parameters<typeof filterSpans>[1]) =>
      filterSpans(spans, filter).map(({ peer }) => peer)
    expect(peers({})).toHaveLength(3)
    expect(peers({ allowed: new Set([peerOf(1)]) })).toEqual([peerOf(1)])
    expect(peers({ blocked: new Set([peerOf(1)]), adapter: 'lora' })).toEqual([peerOf(2)])
  })

  it('a banned server keeps the blocks that no other server holds', () => {
    const spans = [span(0, 0, 6), span(1, 2, 4), span(2, 5, 8)]
    const left = withoutUnwanted(spans, 8, (peer) => peer === peerOf(0))
    expect(shape(left)).toEqual([
      [peerOf(1), 2, 4],
      [peerOf(2), 5, 8],
      [peerOf(0), 0, 2],
      [peerOf(0), 4, 5],
    ])
    expect(withoutUnwanted(spans, 8, () => false)).toBe(spans)
  })
})

describe('round trips', () => {
  const dhtWith = (ping: () => Promise<number>): DhtClient => ({
    ping,
    getMany: () => Promise.resolve(new Map()),
    hasAnswered: () => false,
    now: () => 0,
  })

  it('are smoothed, and expire after five minutes', async () => {
    let now = 0
    const answers = [100, 200]
    const trips = new RoundTrips({
      dht: dhtWith(async () => answers.shift()!),
      pingTimeoutMs: 100,
      now: () => now,
    })
    await trips.measure([peerOf(0)])
    expect(trips.seconds().get(peerOf(0))).toBeCloseTo(0.1)
    await trips.measure([peerOf(0)])
    expect(trips.seconds().get(peerOf(0))).toBeCloseTo(0.12)
    expect(trips.leastSeconds(peerOf(0))).toBeCloseTo(0.1)
    now = 300_001
    expect(trips.seconds().size).toBe(0)
  })

  it('that are short are measured three times, and the shortest counts', async () => {
    const answers = [9, 3, 7, 60]
    const trips = new RoundTrips({ dht: dhtWith(async () => answers.shift()!), pingTimeoutMs: 100 })
    await trips.measure([peerOf(0)])
    expect(trips.seconds().get(peerOf(0))).toBeCloseTo(0.003)
    await trips.measure([peerOf(1)])
    expect(trips.seconds().get(peerOf(1))).toBeCloseTo(0.06)
    expect(answers).toEqual([])
  })

  it('are infinite for a server that does not answer, until it answers', async () => {
    let dead = true
    const trips = new RoundTrips({
      dht: dhtWith(() => (dead ? Promise.reject(new ConnectionLostError('gone')) : Promise.resolve(50))),
      pingTimeoutMs: 100,
    })
    await trips.measure([peerOf(0)])
    expect(trips.seconds().get(peerOf(0))).toBe(Infinity)
    dead = false
    await trips.measure([peerOf(0)])
    expect(trips.seconds().get(peerOf(0))).toBeCloseTo(0.05)
  })

  it('ask the server itself if its DHT node refuses the call', async () => {
    const refusal = new PeerUnreachableError('refused', { unsupportedProtocol: 'DHTProtocol.rpc_ping' })
    const dht = dhtWith(() => Promise.reject(refusal))
    const behindRelay = new RoundTrips({ dht, probe: async () => {}, pingTimeoutMs: 100 })
    await behindRelay.measure([peerOf(0)])
    expect(behindRelay.seconds().get(peerOf(0))).toBeLessThan(1)
    // The daemon outlives a server that was killed, and refuses all its protocols for half a minute.
    const daemonOnly = new RoundTrips({ dht, probe: () => Promise.reject(refusal), pingTimeoutMs: 100 })
    await daemonOnly.measure([peerOf(0)])
    expect(daemonOnly.seconds().get(peerOf(0))).toBe(Infinity)
  })

  it('a relayed server that refuses the call has answered the ping', async () => {
    const refusal = new PeerUnreachableError('refused', { unsupportedProtocol: 'DHTProtocol.rpc_ping' })
    const trips = new RoundTrips({ dht: dhtWith(() => Promise.reject(refusal)), pingTimeoutMs: 100 })
    await trips.measure([peerOf(0)])
    expect(trips.seconds().get(peerOf(0))).toBeLessThan(1)
  })
})
