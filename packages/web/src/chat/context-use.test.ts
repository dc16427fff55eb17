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

  it('is the figure of the last answer plus the questions since', () => {
    expect(usedContext([], undefined)).toBe(0)
    expect(usedContext(path.slice(0, 2), undefined)).toBe(100)
    expect(usedContext(path, undefined)).toBe(120)
  })

  it('grows with the running answer', () => {
    const chunk = { text: 'x', reasoning: '' }
    const live = [1, 2, 3].reduce((answer) => applyChunk(answer, chunk, 0), startAnswer(path[3]!, 0))
    expect(usedContext(path, live)).toBe(123)
  })

  it('counts the tokens of a stopped answer, and continues from there', () => {
    const stopped = message('a2', { role: 'assistant', status: 'stopped', stats: { completionTokens: 7 } })
    const left = [...path.slice(0, 3), stopped]
    expect(usedContext(left, undefined)).toBe(127)
    expect(usedContext([...left, message('q3', { tokens: 5 })], undefined)).toBe(132)
    const chunk = { text: 'x', reasoning: '' }
    const live = [1, 2, 3].reduce((answer) => applyChunk(answer, chunk, 0), startAnswer(stopped, 0))
    expect(usedContext(left, live)).toBe(130)
  })

  it('counts those of a continued answer whose figures were known', () => {
    const cut = message('a1', {
      role: 'assistant',
      status: 'length',
      stats: { completionTokens: 90, contextTokens: 100 },
    })
    const chunk = { text: 'x', reasoning: '' }
    const live = [1, 2, 3].reduce((answer) => applyChunk(answer, chunk, 0), startAnswer(cut, 0))
    expect(usedContext([path[0]!, cut], live)).toBe(103)
  })

  it('estimates what was not counted', () => {
    const attachments = [{ id: 'f', name: 'a.txt', text: 'x'.repeat(400) }]
    expect(usedContext([message('q', { content: 'x'.repeat(40) })], undefined)).toBe(10)
    expect(usedContext([message('q', { attachments })], undefined)).toBeGreaterThan(100)
  })
})

it('warns before the context is full, and about drafts that alone are too long', () => {
  expect(contextLevel({ chat: 10, draft: undefined, limit: 100 })).toBe('fine')
  expect(contextLevel({ chat: 70, draft: 10, limit: 100 })).toBe('nearly-full')
  expect(contextLevel({ chat: 90, draft: 10, limit: 100 })).toBe('full')
  expect(contextLevel({ chat: 0, draft: 100, limit: 100 })).toBe('draft-too-long')
})
