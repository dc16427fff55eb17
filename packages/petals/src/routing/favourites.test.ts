import { describe, expect, it } from 'vitest'
import type { Span } from '../blocks/spans.ts'
import { peerIdFromBytes, type PeerId } from '../p2p/peer-id.ts'
import { Favourites } from './favourites.ts'
import { RoutePlanner } from './route-planner.ts'
import { SpanIndex } from './span-index.ts'

const blocks = { start: 0, end: 4 }
const peerOf = (index: number): PeerId => {
  const bytes = new Uint8Array(34).fill(7)
  bytes.set([0x12, 32])
  new DataView(bytes.buffer).setUint32(2, index)
  return peerIdFromBytes(bytes)!
}
/** So many equal servers, each with all blocks. */
const swarmOf = (count: number): SpanIndex =>
  new SpanIndex(
    Array.from({ length: count }, (_, i): Span => ({
      ...{ peer: peerOf(i), ...blocks },
      server: { state: 'online', throughput: 1, adapters: [], inferenceRps: 500 },
    })),
    blocks.end,
  )
/** Of a client with this number. */
const favourites = (client: number): Favourites => new Favourites(() => client / 100)

describe('favourite servers', () => {
  it('stay the same, whatever the DHT answers', () => {
    const mine = favourites(1)
    const [all, twice] = [mine.factors(swarmOf(1000)), mine.factors(swarmOf(2000))]
    const order = (factors: Float64Array): readonly number[] =>
      Array.from({ length: 1000 }, (_, i) => i).toSorted((a, b) => factors[a]! - factors[b]!)
    expect(order(twice)).toEqual(order(all))
  })

  it('are spread evenly over the servers', () => {
    const factors = favourites(1).factors(swarmOf(4000))
    const quarters = [0, 0, 0, 0]
    const most = Math.max(...factors)
    for (const factor of factors) quarters[Math.min(3, Math.floor((4 * (factor - 1)) / (most - 1)))]!++
    for (const count of quarters) expect(count).toBeGreaterThan(850)
  })

  it('do not count where few servers hold each block', () => {
    expect([...favourites(1).factors(swarmOf(16))]).toEqual(Array(16).fill(1))
    expect(Math.max(...favourites(1).factors(swarmOf(40)))).toBeLessThan(1.1)
  })
})

/** A client that has measured 16 servers, on each of which a token takes so many milliseconds, and 4 without waiting. */
function plannerOf(client: number, index: SpanIndex, tokenMs: number): RoutePlanner {
  const planner = new RoutePlanner(
    { seconds: () => new Map(), version: 0 },
    () => 0,
    () => client / 100,
  )
  for (const { peer } of index.spans.slice(-16)) {
    const step = { peer, session: 's', blocks: blocks.end, tokenMs: 400 }
    planner.loads.stepped({ ...step, ms: 4 }, undefined)
    for (let i = 0; i < 50; i++) planner.loads.stepped({ ...step, ms: tokenMs }, undefined)
    planner.loads.ended(peer, 's')
  }
  return planner
}

/** Returns the server that each of 32 clients takes, as its place in the index. */
const chosenBy32 = (index: SpanIndex, tokenMs: number): readonly number[] =>
  Array.from({ length: 32 }, (_, client) => {
    const [hop] = plannerOf(client, index, tokenMs).plan(index, blocks, {})!
    return index.spans.findIndex(({ peer }) => peer === hop!.peer)
  })

/** Announces this speed for the server at each place. */
const withSpeeds = (index: SpanIndex, rpsOf: (slot: number) => number): SpanIndex =>
  new SpanIndex(
    index.spans.map((span, slot) => ({ ...span, server: { ...span.server, inferenceRps: rpsOf(slot) } })),
    blocks.end,
  )

describe('clients of a large swarm', () => {
  const index = swarmOf(1000)

  it('go to different servers where steps wait on those that they know', () => {
    expect(new Set(chosenBy32(index, 60)).size).toBeGreaterThan(28)
  })

  it('go to the fastest server where none waits', () => {
    const withFastest = withSpeeds(index, (slot) => (slot === 7 ? 1100 : 500))
    expect(new Set(chosenBy32(withFastest, 4))).toEqual(new Set([7]))
  })

  it('do not take a server that is many times as slow, favourite or not', () => {
    const half = withSpeeds(index, (slot) => (slot < 500 ? 20 : 500))
    expect(Math.min(...chosenBy32(half, 60))).toBeGreaterThanOrEqual(500)
  })

  it('come back to a server whose load they have measured, though it was drawn last', () => {
    const planner = plannerOf(50, index, 60)
    const factors = new Favourites(() => 0.5).factors(index)
    const { peer } = index.spans[factors.indexOf(Math.max(...factors))]!
    planner.loads.stepped({ peer, session: 's', blocks: blocks.end, ms: 4, tokenMs: 400 }, undefined)
    planner.loads.ended(peer, 's')
    expect(planner.plan(index, blocks, {})![0]!.peer).toBe(peer)
  })
})
