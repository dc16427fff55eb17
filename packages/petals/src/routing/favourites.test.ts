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

describe('clients that know only announcements', () => {
  const chosenBy = (client: number, index: SpanIndex): PeerId =>
    new RoutePlanner(
      { seconds: () => new Map(), version: 0 },
      () => 0,
      () => client / 100,
    ).plan(index, blocks, {})![0]!.peer

  it('go to different servers of a large swarm', () => {
    const index = swarmOf(1000)
    const chosen = Array.from({ length: 32 }, (_, client) => chosenBy(client, index))
    expect(new Set(chosen).size).toBeGreaterThan(28)
  })

  it('do not take a server that is many times as slow, favourite or not', () => {
    const index = swarmOf(1000)
    const fast = new SpanIndex(
      index.spans.map((span, i) => ({
        ...span,
        server: { ...span.server, inferenceRps: i < 500 ? 20 : 500 },
      })),
      blocks.end,
    )
    for (let client = 0; client < 32; client++) {
      const chosen = chosenBy(client, fast)
      const slot = fast.spans.findIndex(({ peer }) => peer === chosen)
      expect(slot).toBeGreaterThanOrEqual(500)
    }
  })
})

it('a client comes back to a server whose load it has measured', () => {
  const index = swarmOf(1000)
  const planner = new RoutePlanner(
    { seconds: () => new Map(), version: 0 },
    () => 0,
    () => 0.5,
  )
  const last = new Favourites(() => 0.5).factors(index)
  const slot = last.indexOf(Math.max(...last))
  const { peer } = index.spans[slot]!
  planner.loads.stepped({ peer, session: 's', blocks: 4, ms: 4, tokenMs: 400 }, undefined)
  planner.loads.ended(peer, 's')
  expect(planner.plan(index, blocks, {})![0]!.peer).toBe(peer)
})
