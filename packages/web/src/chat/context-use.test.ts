import { describe, expect, it } from 'vitest'
import { contextLevel, usedContext } from './context-use.ts'
import { applyChunk, startAnswer } from './live-answer.ts'
import type { Message } from './types.ts'

const message = (id: string, changes: Partial<Message>): Message => ({
  id,
  chatId: 'c',
  parentId: null,
  role: 'user',
  content: '',
  createdAt: 0,
  status: 'done',
  ...changes,
})

describe('usedContext', () => {
  const path = [
    message('q1', { tokens: 10 }),
    message('a1', { role: 'assistant', stats: { contextTokens: 100 } }),
    message('q2', { tokens: 20 }),
    message('a2', { role: 'assistant' }),
  ]

  it('is what the last answer said, and the questions since', () => {
    expect(usedContext([], undefined)).toBe(0)
    expect(usedContext(path.slice(0, 2), undefined)).toBe(100)
    expect(usedContext(path, undefined)).toBe(120)
  })

  it('grows with the answer that is written', () => {
    const chunk = { text: 'x', reasoning: '' }
    const live = [1, 2, 3].reduce((answer) => applyChunk(answer, chunk, 0), startAnswer(path[3]!, 0))
    expect(usedContext(path, live)).toBe(123)
  })
})

it('warns before the context is full, and of drafts that are too long by themselves', () => {
  expect(contextLevel({ chat: 10, draft: undefined, limit: 100 })).toBe('fine')
  expect(contextLevel({ chat: 70, draft: 10, limit: 100 })).toBe('nearly-full')
  expect(contextLevel({ chat: 90, draft: 10, limit: 100 })).toBe('full')
  expect(contextLevel({ chat: 0, draft: 100, limit: 100 })).toBe('draft-too-long')
})
