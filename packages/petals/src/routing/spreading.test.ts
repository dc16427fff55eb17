import { describe, expect, it } from 'vitest'
import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { RoutePlanner } from './route-planner.ts'
import type { Route } from './router.ts'
import { SpanIndex } from './span-index.ts'

const blocks = { start: 0, end: 8 }
/** One way to a server. */
const wayMs = 2
const tokensOfChat = 200

const serverOf = (name: string, start: number, end: number): Span => ({
  peer: name as PeerId,
  start,
  end,
  server: { state: 'online', throughput: 1, adapters: [], inferenceRps: 500 },
})
const servers = [serverOf('a0', 0, 4), serverOf('a1', 0, 4), serverOf('b0', 4, 8), serverOf('b1', 4, 8)]

/**
 * Chats in simulated time on servers that compute one step after the other, and not equally long each time. Each chat sends its next token when it has the one
 * before, through both servers of its route.
 */
class SimulatedChats {
  #now = 0
  readonly #planner: RoutePlanner
  readonly #index = new SpanIndex(servers, blocks.end)
  readonly #msPerBlock: (peer: PeerId) => number
  readonly #freeAt = new Map<PeerId, number>()
  /** When a chat had its last answer of a server. */
  readonly #answeredAt = new Map<string, number>()
  readonly #events: { readonly at: number; readonly run: () => void }[] = []
  #count = 0
  #random: number

  constructor(msPerBlock: (peer: PeerId) => number, seed = 1) {
    this.#random = seed * 7919 + 17
    const trips = new Map(servers.map(({ peer }) => [peer, (2 * wayMs) / 1000]))
    this.#planner = new RoutePlanner({ seconds: () => trips, version: 0 }, () => this.#now)
    this.#msPerBlock = msPerBlock
  }

  begin(): Route {
    const route = this.#planner.plan(this.#index, blocks, {})!
    this.#step(`chat ${this.#count++}`, route, 0, tokensOfChat)
    return route
  }

  runFor(ms: number): void {
    const end = this.#now + ms
    for (let next = this.#first(end); next; next = this.#first(end)) {
      this.#now = next.at
      next.run()
    }
    this.#now = end
  }

  /** Takes the next event before this time. */
  #first(end: number) {
    this.#events.sort((a, b) => a.at - b.at)
    return this.#events[0] && this.#events[0].at <= end ? this.#events.shift() : undefined
  }

  /** Returns a factor from 0.6 to 1.4; the same seed gives the same ones. */
  #jitter(): number {
    this.#random = (this.#random * 48_271) % 0x7fffffff
    return 0.6 + 0.8 * (this.#random / 0x7fffffff)
  }

  #step(session: string, route: Route, hop: number, tokens: number): void {
    const { peer, start, end } = route[hop]!
    const sentAt = this.#now
    const arrivedAt = sentAt + wayMs * this.#jitter()
    const workMs = (end - start) * this.#msPerBlock(peer) * this.#jitter()
    const doneAt = Math.max(arrivedAt, this.#freeAt.get(peer) ?? 0) + workMs
    this.#freeAt.set(peer, doneAt)
    const answered = (): void => {
      const ms = this.#now - sentAt
      const key = `${session} on ${peer}`
      const tokenMs = this.#now - (this.#answeredAt.get(key) ?? sentAt)
      this.#answeredAt.set(key, this.#now)
      this.#planner.loads.stepped({ peer, session, blocks: end - start, ms, tokenMs }, (2 * wayMs) / 1000)
      if (hop < route.length - 1) this.#step(session, route, hop + 1, tokens)
      else if (tokens > 1) this.#step(session, route, 0, tokens - 1)
      else for (const each of route) this.#planner.loads.ended(each.peer, session)
    }
    this.#events.push({ at: doneAt + wayMs, run: answered })
  }
}

const countBy = (routes: readonly Route[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { peer } of routes.flat()) counts[peer] = (counts[peer] ?? 0) + 1
  return counts
}

describe('chats on two servers of each half', () => {
  it.each([2, 4, 8, 16, 32])('%i that begin at the same moment are half on each', (count) => {
    const chats = new SimulatedChats(() => 2)
    const routes = Array.from({ length: count }, () => chats.begin())
    expect(countBy(routes)).toEqual({ a0: count / 2, a1: count / 2, b0: count / 2, b1: count / 2 })
  })

  it.each([4, 8, 16])('%i that begin one after the other are half on each, but for one', (count) => {
    for (let seed = 1; seed <= 10; seed++) {
      const chats = new SimulatedChats(() => 2, seed)
      const routes = Array.from({ length: count }, () => {
        const route = chats.begin()
        chats.runFor(150)
        return route
      })
      for (const users of Object.values(countBy(routes)))
        expect(Math.abs(users - count / 2)).toBeLessThanOrEqual(1)
    }
  })

  it('follow the measured load: of two busy servers, the one that is twice as fast has twice as many', () => {
    // All announce the same speed.
    const chats = new SimulatedChats((peer) => ({ a0: 2, a1: 4 })[peer as string] ?? 1)
    // The first ones measure the servers.
    for (let i = 0; i < 4; i++) chats.begin()
    chats.runFor(20_000)
    const counts = countBy(
      Array.from({ length: 12 }, () => {
        const route = chats.begin()
        chats.runFor(200)
        return route
      }),
    )
    expect(counts.a0).toBeGreaterThanOrEqual(7)
    expect(counts.a0).toBeLessThanOrEqual(9)
  })
})
