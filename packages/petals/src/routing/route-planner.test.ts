import { describe, expect, it } from 'vitest'
import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { roundTripsBySlot } from './distances.ts'
import { fastestRoute } from './latency-graph.ts'
import { RoutePlanner } from './route-planner.ts'
import type { RouteOptions } from './router.ts'
import { SpanIndex } from './span-index.ts'

/** The planner does not read ids. */
const peerOf = (index: number): PeerId => `peer ${index}` as PeerId
const span = (index: number, start: number, end: number, server: Partial<Span['server']> = {}): Span => ({
  peer: peerOf(index),
  start,
  end,
  server: { state: 'online', throughput: 1, adapters: [], inferenceRps: 100, ...server },
})
const whole = { start: 0, end: 4 }

/** A planner at a time that the test sets, with round trips of 10 ms to all servers. */
function plannerOf(spans: readonly Span[]) {
  const clock = { now: 0 }
  const trips = new Map(spans.map(({ peer }) => [peer, 0.01]))
  const planner = new RoutePlanner({ seconds: () => trips, version: 0 }, () => clock.now)
  const index = new SpanIndex(spans, 4)
  const plan = (options: RouteOptions = {}): readonly number[] =>
    planner.plan(index, whole, options)!.map(({ peer }) => spans.findIndex((each) => each.peer === peer))
  /** One step of all blocks on the server of this slot takes so many milliseconds, network included. */
  const step = (slot: number, ms: number, tokens = 1): void => {
    const { peer, start, end } = spans[slot]!
    planner.loads.stepped({ peer, session: 's', tokens, blocks: end - start, ms, tokenMs: ms }, 0.01)
  }
  return { planner, plan, step, clock }
}

describe('chats', () => {
  it('that begin together are spread over chains of the same speed', () => {
    const { plan } = plannerOf([span(0, 0, 2), span(1, 0, 2), span(2, 2, 4), span(3, 2, 4)])
    const routes = Array.from({ length: 4 }, () => plan())
    for (const slot of [0, 1, 2, 3]) expect(routes.filter((route) => route.includes(slot))).toHaveLength(2)
    expect(routes[0]).not.toContain(routes[1]![0])
    expect(routes[0]).not.toContain(routes[1]![1])
  })

  it('that are planned but do not begin are forgotten', () => {
    const { plan, clock } = plannerOf([span(0, 0, 4, { inferenceRps: 110 }), span(1, 0, 4)])
    expect(plan()).toEqual([0])
    expect(plan()).toEqual([1])
    clock.now = 3000
    expect(plan()).toEqual([0])
  })

  it('avoid a server on which steps wait, until that is long ago', () => {
    const { plan, step, planner, clock } = plannerOf([span(0, 0, 4), span(1, 0, 4, { inferenceRps: 60 })])
    step(0, 50)
    planner.loads.ended(peerOf(0), 's')
    expect(plan()).toEqual([0])
    for (let i = 0; i < 20; i++) step(0, 250)
    planner.loads.ended(peerOf(0), 's')
    clock.now = 3000
    expect(plan()).toEqual([1])
    clock.now = 600_000
    expect(plan()).toEqual([0])
  })

  it('avoid a server on which a chat guesses tokens, whose steps do not tell how fast it is', () => {
    const { plan, step, planner, clock } = plannerOf([span(0, 0, 4, { inferenceRps: 110 }), span(1, 0, 4)])
    step(0, 47)
    for (; clock.now < 10_000; clock.now += 1000) step(0, 400, 8)
    expect(plan()).toEqual([1])
    planner.loads.ended(peerOf(0), 's')
    clock.now += 3000
    expect(plan()).toEqual([0])
  })

  it('use a server less that is slower than it announces', () => {
    const { plan, step, planner, clock } = plannerOf([span(0, 0, 4, { inferenceRps: 10_000 }), span(1, 0, 4)])
    expect(plan()).toEqual([0])
    step(0, 410)
    planner.loads.ended(peerOf(0), 's')
    clock.now = 3000
    expect(plan()).toEqual([1])
  })

  it('avoid servers whose KV caches are used by others, before anything is measured', () => {
    const free = (tokens: number, inferenceRps: number) => ({ cacheTokensLeft: tokens * 2 * 4, inferenceRps })
    const others = (tokens: number) => [2, 3, 4, 5].map((slot) => span(slot, 0, 4, free(tokens, 20)))
    const busy = span(0, 0, 4, free(2000, 120))
    expect(plannerOf([busy, span(1, 0, 4, free(16_384, 100)), ...others(16_384)]).plan()).toEqual([1])
    expect(plannerOf([busy, span(1, 0, 4, free(2000, 100)), ...others(2000)]).plan()).toEqual([0])
  })

  it('of a few machines take the fastest, however small its cache', () => {
    const free = (tokens: number, inferenceRps: number) => ({ cacheTokensLeft: tokens * 2 * 4, inferenceRps })
    expect(plannerOf([span(0, 0, 4, free(8192, 400)), span(1, 0, 4, free(65_536, 100))]).plan()).toEqual([0])
  })

  it('try a server that never answers less and less, also when its ban is over', () => {
    const { plan, planner, clock } = plannerOf([span(0, 0, 4, { inferenceRps: 1000 }), span(1, 0, 4)])
    let tries = 0
    for (let minute = 0; minute < 60; minute++) {
      clock.now = minute * 60_000
      if (plan()[0] === 1) continue
      tries++
      planner.troubles.failed(peerOf(0))
    }
    expect(tries).toBeGreaterThan(1)
    expect(tries).toBeLessThan(12)
    planner.troubles.succeeded(peerOf(0))
    clock.now += 60_000
    expect(plan()).toEqual([0])
  })
})

describe('servers that compute with the same numbers', () => {
  const f32 = (index: number, start: number, end: number, inferenceRps: number) =>
    span(index, start, end, { inferenceRps, torchDtype: 'float32', version: '2.2.0.post1' })
  const q8 = (index: number, start: number, end: number, inferenceRps: number) =>
    span(index, start, end, { inferenceRps, torchDtype: 'float32', quantType: 'q8_0' })

  it('make up a new route, if it is hardly slower than one of several kinds', () => {
    const spans = (rps: number) => [f32(0, 0, 2, 100), q8(1, 0, 2, 95), q8(2, 2, 4, 100), f32(3, 2, 4, rps)]
    expect(plannerOf(spans(95)).plan()).toEqual([0, 3])
    expect(plannerOf(spans(20)).plan()).toEqual([1, 2])
    const [a, slow, b, slower] = [f32(0, 0, 2, 100), q8(1, 0, 2, 20), q8(2, 2, 4, 100), f32(3, 2, 4, 20)]
    expect(plannerOf([a, slow, b, slower]).plan()).toEqual([0, 2])
  })

  it('make up as much of a route as they hold', () => {
    const spans = [f32(0, 0, 2, 100), q8(1, 0, 2, 95), q8(2, 2, 3, 100), q8(3, 3, 4, 100)]
    expect(plannerOf(spans).plan()).toEqual([1, 2, 3])
  })

  it('make up a route also where others announce many kinds for more blocks', () => {
    const honest = [f32(0, 0, 2, 100), q8(1, 2, 4, 100), f32(2, 2, 4, 95)]
    const forged = Array.from({ length: 8 }, (_, i) =>
      span(3 + i, 0, 4, { quantType: `kind ${i % 4}`, inferenceRps: 1 }),
    )
    expect(plannerOf([...honest, ...forged]).plan()).toEqual([0, 2])
  })

  it('are not waited for by routes of a swarm that announces a kind for each server', () => {
    const spans = Array.from({ length: 40 }, (_, i) =>
      span(i, i % 4, (i % 4) + 1, { quantType: `kind ${i}` }),
    )
    expect(plannerOf(spans).plan()).toHaveLength(4)
  })

  it('replace one, unless they take more than twice as long', () => {
    const lost = f32(9, 0, 4, 100).server
    const spans = (rps: number) => [q8(0, 0, 4, 100), f32(1, 0, 4, rps)]
    expect(plannerOf(spans(50)).plan()).toEqual([0])
    expect(plannerOf(spans(50)).plan({ like: lost })).toEqual([1])
    expect(plannerOf(spans(5)).plan({ like: lost })).toEqual([0])
    expect(plannerOf(spans(50)).plan({ like: lost, policy: 'shortest' })).toEqual([1])
    expect(plannerOf([q8(0, 0, 4, 1)]).plan({ like: lost })).toEqual([0])
  })

  it('replace one with its program first, if that is as fast', () => {
    const native = { torchDtype: 'float32', version: '2.3.0.dev2+petals.chat.0.1.0' }
    const spans = [span(0, 0, 4, { ...native, inferenceRps: 103 }), f32(1, 0, 4, 100)]
    expect(plannerOf(spans).plan({ like: f32(9, 0, 4, 1).server })).toEqual([1])
    expect(plannerOf(spans).plan({ like: { ...spans[0]!.server } })).toEqual([0])
  })
})

it('round trips that were not measured follow from those between servers, in both directions', () => {
  const nextPings = new Map([
    [peerOf(1), 0.02],
    [peerOf(2), 0.1],
  ])
  const spans = [span(0, 0, 2, { nextPings }), span(1, 2, 4), span(2, 2, 4), span(3, 2, 4)]
  const index = new SpanIndex(spans, 4)
  const from = (known: Readonly<Record<number, number>>) =>
    [
      ...roundTripsBySlot(index, new Map(Object.entries(known).map(([i, rtt]) => [peerOf(Number(i)), rtt]))),
    ].map((seconds) => Number(seconds.toFixed(6)))
  expect(from({ 0: 0.05 })).toEqual([0.05, 0.05, 0.1, NaN])
  expect(from({ 1: 0.05 })).toEqual([0.05, 0.05, NaN, NaN])
  expect(from({ 0: Infinity, 3: 0.01 })).toEqual([Infinity, NaN, NaN, 0.01])
})

describe('of ten thousand servers', () => {
  const blocks = 80
  const swarmOf = (count: number): readonly Span[] =>
    Array.from({ length: count }, (_, i) => {
      const start = (i * 7) % 61
      const pinged = Array.from(
        { length: 12 },
        (__, k) => [peerOf((i * 31 + k * 977) % count), 0.05] as const,
      )
      return span(i, start, start + 20, { inferenceRps: 100 + (i % 300), nextPings: new Map(pinged) })
    })

  it('a search considers each block of each server once, and each announced round trip once', () => {
    const visits = [1000, 10_000].map((count) => {
      const index = new SpanIndex(swarmOf(count), blocks)
      const roundTrips = new Float64Array(count).fill(0.1)
      return fastestRoute(index, { blocks: { start: 0, end: blocks }, roundTrips, relays: true })!.visits
    })
    expect(visits[0]).toBeLessThan(1000 * (20 + 12))
    expect(visits[1]).toBeLessThan(10_000 * (20 + 12))
  })

  it('the index takes less than a kilobyte for each', () => {
    expect(new SpanIndex(swarmOf(10_000), blocks).bytes / 10_000).toBeLessThan(600)
  })
})
