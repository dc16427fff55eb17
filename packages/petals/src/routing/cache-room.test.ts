import { describe, expect, it } from 'vitest'
import type { AnnouncedSpan } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { CacheRoom } from './cache-room.ts'
import { SpanIndex } from './span-index.ts'

/** A server of two blocks; it announces room for so many tokens of a session. */
const spanOf = (
  name: string,
  start: number,
  tokens: number | undefined,
  expirationTime = 1,
): AnnouncedSpan => ({
  peer: name as PeerId,
  start,
  end: start + 2,
  server: {
    state: 'online',
    throughput: 1,
    adapters: [],
    ...(tokens !== undefined && { cacheTokensLeft: 2 * 2 * tokens }),
  },
  expirationTime,
})
const vectors = (tokens: number): number => 2 * 2 * tokens

/** A server that announced room for 1,000 tokens, as a client sees it at a time that the test sets. */
function oneServer(tokens: number | null = 1000) {
  const clock = { now: 0 }
  const room = new CacheRoom(() => clock.now)
  const span = spanOf('a', 0, tokens ?? undefined)
  let index = new SpanIndex([span], 2)
  const announce = (left: number, expirationTime: number): void => {
    index = new SpanIndex([spanOf('a', 0, left, expirationTime)], 2)
    room.announced(index)
  }
  room.announced(index)
  const free = (): number => room.freeTokens(index)[0]!
  return { room, span, clock, announce, free }
}

describe('the free room of a server', () => {
  it('is what it announces, without the sessions that were opened since', () => {
    const { room, span, free, clock } = oneServer()
    expect(free()).toBe(1000)
    room.opened(span, 's', vectors(300))
    clock.now = 10_000
    room.opened(span, 't', vectors(100))
    expect(free()).toBe(600)
    room.closed(span.peer, 's')
    expect(free()).toBe(900)
  })

  it('counts planned sessions until they are opened, or are forgotten', () => {
    const { room, span, free, clock } = oneServer()
    room.expect(span, vectors(300))
    room.expect(span, vectors(300))
    expect(free()).toBe(400)
    room.opened(span, 's', vectors(300))
    expect(free()).toBe(400)
    clock.now = 3000
    expect(free()).toBe(700)
  })

  it('counts a session as in an announcement only if it was open before the look before', () => {
    const { room, span, free, clock, announce } = oneServer()
    clock.now = 30_000
    room.opened(span, 's', vectors(300))
    clock.now = 60_000
    announce(1000, 1) // the same one, again
    clock.now = 61_000
    room.opened(span, 'late', vectors(100))
    clock.now = 120_000
    announce(650, 2)
    // It has s; whether it has the late one, which was opened after the look before, is not known.
    expect(free()).toBe(550)
    room.closed(span.peer, 's')
    expect(free()).toBe(850)
    clock.now = 240_000
    announce(900, 3)
    expect(free()).toBe(900)
  })

  it('is none after a refusal, until a session there ends, the server says so, or a minute has passed', () => {
    const { room, span, free, clock, announce } = oneServer()
    room.opened(span, 's', vectors(300))
    room.refused(span)
    expect(free()).toBe(0)
    room.closed(span.peer, 's')
    expect(free()).toBe(1000)
    room.refused(span)
    clock.now = 1000
    room.told(span, vectors(500), clock.now)
    expect(free()).toBe(500)
    room.refused(span)
    clock.now = 61_001
    expect(free()).toBe(500)
    room.refused(span)
    announce(800, 2)
    expect(free()).toBe(0)
    announce(800, 3)
    clock.now = 130_000
    announce(800, 4)
    expect(free()).toBe(800)
  })

  it('is remembered for a limited time, also of servers that announce nothing', () => {
    const { room, span, clock } = oneServer(null)
    for (let i = 0; i < 3; i++) {
      room.expect(span, vectors(300))
      room.expect(span, vectors(300))
      room.opened(span, `${i}`, vectors(300))
      room.closed(span.peer, `${i}`)
    }
    room.announced(new SpanIndex([], 2))
    expect(room.size).toBe(1)
    clock.now = 600_001
    room.announced(new SpanIndex([], 2))
    expect(room.size).toBe(0)
  })

  it('is not known if the server does not announce it, but for a refusal', () => {
    const { room, span, free } = oneServer(null)
    room.opened(span, 's', vectors(300))
    expect(free()).toBeNaN()
    room.refused(span)
    expect(free()).toBe(0)
  })
})

describe('the sessions that fit', () => {
  const fit = (
    spans: readonly AnnouncedSpan[],
    tokens: number,
    reclaimable: Record<string, number> = {},
    avoided: ReadonlySet<number> = new Set(),
  ) => {
    const room = new CacheRoom(() => 0)
    for (const [name, vectorsThere] of Object.entries(reclaimable))
      room.opened(
        spans.find(({ peer }) => (peer as string) === name)!,
        'standby',
        vectorsThere,
      )
    return room.sessionsThatFit(
      new SpanIndex(spans, 4),
      { start: 0, end: 4 },
      { tokens, without: new Set(), avoided, reclaimable: (peer) => reclaimable[peer] ?? 0 },
    )
  }

  it('are those of all servers of the block with the least room', () => {
    const spans = [spanOf('a', 0, 1000), spanOf('b', 0, 650), spanOf('c', 2, 900)]
    expect(fit(spans, 300)).toBe(3)
    expect(fit(spans.slice(1), 300)).toBe(2)
    expect(fit(spans, 2000)).toBe(0)
  })

  it('are not limited by servers that tell nothing, nor by blocks without servers', () => {
    expect(fit([spanOf('a', 0, undefined), spanOf('b', 2, 600)], 300)).toBe(2)
    expect(fit([spanOf('b', 2, 600)], 300)).toBe(2)
    expect(fit([], 300)).toBe(Infinity)
  })

  it('are not on servers that are avoided, except for blocks that no other one holds', () => {
    const spans = [spanOf('a', 0, 600), spanOf('b', 0, 900), spanOf('c', 2, 1500)]
    expect(fit(spans, 300)).toBe(5)
    expect(fit(spans, 300, {}, new Set([1, 2]))).toBe(2)
    expect(fit(spans, 300, {}, new Set([0, 1]))).toBe(5)
  })

  it('may take what this client would give up', () => {
    const spans = [spanOf('a', 0, 600), spanOf('b', 2, 900)]
    expect(fit(spans, 300, { a: vectors(300) })).toBe(2)
  })
})
