import { describe, expect, it } from 'vitest'
import { fitToContext, maxTokensOf, possibleStarts, roomOf } from './fit-context.ts'
import type { Message } from './types.ts'

const path = Array.from({ length: 20 }, (_, index): Message => ({
  id: `m${index}`,
  chatId: 'c',
  parentId: index === 0 ? null : `m${index - 1}`,
  role: index % 2 === 0 ? 'user' : 'assistant',
  content: '',
  createdAt: index,
  status: 'done',
  model: 'small',
}))

/** Each message has 10 tokens. */
function counter() {
  const asked: number[] = []
  return { asked, count: (start: number) => (asked.push(start), Promise.resolve((path.length - start) * 10)) }
}

describe('fitToContext', () => {
  const starts = possibleStarts(path, 'small')

  it('leaves a chat that fits unchanged, after one count', async () => {
    const { count, asked } = counter()
    expect(await fitToContext({ starts, count, room: 200 })).toEqual({ start: 0, tokens: 200 })
    expect(asked).toEqual([0])
  })

  it('drops the oldest turns, and some more, so that the next turns fit too', async () => {
    const { count, asked } = counter()
    expect(await fitToContext({ starts, count, room: 190 })).toEqual({ start: 6, tokens: 140 })
    expect(asked.length).toBeLessThan(6)
  })

  it('uses all the room if nothing less fits', async () => {
    const { count } = counter()
    expect(await fitToContext({ starts: [0, 18], count, room: 22 })).toEqual({ start: 18, tokens: 20 })
  })

  it('always keeps the last question', async () => {
    const { count } = counter()
    expect(await fitToContext({ starts, count, room: 5 })).toEqual({ start: 18, tokens: 20 })
  })
})

describe('possibleStarts', () => {
  it('begins with a question', () => expect(possibleStarts(path, 'small').slice(0, 3)).toEqual([0, 2, 4]))

  it('does not go back before the first message that the same model saw last', () => {
    const shortened = path.map((message) =>
      message.id === 'm13' ? { ...message, leftOut: { messages: 8, firstSeenId: 'm8' } } : message,
    )
    expect(possibleStarts(shortened, 'small')).toEqual([8, 10, 12, 14, 16, 18])
    expect(possibleStarts(shortened, 'large')[0]).toBe(0)
  })
})

it('reserves room for the answer, but never more than half', () => {
  expect(roomOf(2048, undefined)).toEqual({ context: 2048, prompt: 1792 })
  expect(roomOf(131072, undefined).prompt).toBe(131072 - 1024)
  expect(roomOf(2048, 500).prompt).toBe(1548)
  expect(roomOf(2048, 4000).prompt).toBe(1024)
})

it('never underestimates a prompt', () => {
  expect(maxTokensOf({ messages: [{ role: 'user', content: '🌷'.repeat(100) }] })).toBeGreaterThanOrEqual(400)
})
