import { expect, it } from 'vitest'
import type { AnnouncedSpan } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { CacheRoom } from './cache-room.ts'
import { RoomQuestions } from './room-questions.ts'
import { SpanIndex } from './span-index.ts'

/** A server of two blocks with room for so many tokens of a session. */
const spanOf = (name: string, tokens: number): AnnouncedSpan => ({
  peer: name as PeerId,
  start: 0,
  end: 2,
  server: { state: 'online', throughput: 1, adapters: [], cacheTokensLeft: 2 * 2 * tokens },
  expirationTime: 1,
})
const { signal } = new AbortController()

it('all servers that seem full are asked in the end, and no others', async () => {
  const full = Array.from({ length: 40 }, (_, i) => spanOf(`full ${i}`, 100))
  const index = new SpanIndex([spanOf('free', 1000), ...full], 2)
  const asked: PeerId[] = []
  const questions = new RoomQuestions({
    room: new CacheRoom(() => 0),
    probe: (peer) => {
      asked.push(peer)
      return Promise.reject(new Error('It does not answer.'))
    },
    timeoutMs: 100,
    now: () => 0,
  })
  for (let i = 0; i < 3; i++) await questions.ask(index, 300, signal)
  expect(asked).toHaveLength(48)
  expect(new Set(asked)).toEqual(new Set(full.map(({ peer }) => peer)))
})

it('a session that is opened during the question is not in the answer', async () => {
  const span = spanOf('a', 100)
  const index = new SpanIndex([span], 2)
  const clock = { now: 0 }
  const room = new CacheRoom(() => clock.now)
  const probe = async (): Promise<number> => {
    clock.now = 10
    room.opened(span, 's', 2 * 2 * 300)
    clock.now = 20
    return 2 * 2 * 1000
  }
  await new RoomQuestions({ room, probe, timeoutMs: 100, now: () => clock.now }).ask(index, 300, signal)
  expect(room.freeTokens(index)[0]).toBe(700)
})
