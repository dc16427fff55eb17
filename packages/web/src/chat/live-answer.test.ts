import { describe, expect, it } from 'vitest'
import {
  answerStats,
  applyChunk,
  restartAnswer,
  resumeAnswer,
  startAnswer,
  tokensPerSecond,
  type LiveAnswer,
} from './live-answer.ts'
import type { Message } from './types.ts'
import { streamingMessage as message } from '../testing/test-page.ts'

const word = { text: 'x', reasoning: '' }

/** A word every 100 ms, the first one at `from`. */
function write(answer: LiveAnswer, words: number, from: number, every = 100): LiveAnswer {
  return Array.from({ length: words }, (_, index) => from + index * every).reduce(
    (written, at) => applyChunk(written, word, at),
    answer,
  )
}

describe('the speed of an answer', () => {
  it('is measured from the second word on', () => {
    const answer = startAnswer(message, 0)
    expect(tokensPerSecond(write(answer, 1, 1000))).toBeUndefined()
    expect(tokensPerSecond(write(answer, 11, 1000))).toBe(10)
  })

  it('ignores the burst of text after a reconnection', () => {
    const cut = write(startAnswer(message, 0), 11, 0)
    const caughtUp = write(resumeAnswer(cut, 10_000), 200, 10_000, 1)
    expect(tokensPerSecond(write(caughtUp, 50, 10_300))).toBeCloseTo(10, 0)
  })

  it('is the server’s own figure once the server sends it', () => {
    const timings = { timeToFirstTokenMs: 120, tokensPerSecond: 42 }
    const answer = applyChunk(write(startAnswer(message, 0), 5, 0), { ...word, timings }, 900)
    expect(answerStats(answer)).toMatchObject({ tokensPerSecond: 42, timeToFirstTokenMs: 120 })
  })
})

it('a wait for servers lasts until the server ends it, or until text arrives', () => {
  const waiting = { blocks: [{ start: 12, end: 19 }], since: 0, until: 120_000 }
  const nothing = { text: '', reasoning: '' }
  const waits = applyChunk(startAnswer(message, 0), { ...nothing, waiting }, 0)
  expect(applyChunk(waits, nothing, 1).waiting).toEqual(waiting)
  expect(applyChunk(waits, { ...nothing, waiting: null }, 1).waiting).toBeUndefined()
  expect(applyChunk(waits, word, 1).waiting).toBeUndefined()
  expect(restartAnswer(waits).waiting).toBeUndefined()
})

it('has a place in the queue until its turn comes, or text', () => {
  const nothing = { text: '', reasoning: '' }
  const queued = applyChunk(startAnswer(message, 0), { ...nothing, place: 2 }, 0)
  expect(applyChunk(queued, nothing, 1).place).toBe(2)
  expect(applyChunk(queued, { ...nothing, place: null }, 1).place).toBeUndefined()
  expect(applyChunk(queued, { ...nothing, text: 'A' }, 1).place).toBeUndefined()
  expect(restartAnswer(queued).place).toBeUndefined()
})

it('keeps which model stands in for the one that was asked', () => {
  const standIn = { model: 'small', reason: 'No server holds block 3.' }
  const told = applyChunk(startAnswer(message, 0), { text: 'A', reasoning: '', standIn }, 0)
  expect(applyChunk(told, { text: 'B', reasoning: '' }, 1).standIn).toEqual(standIn)
  expect(startAnswer({ ...message, standIn }, 2).standIn).toEqual(standIn)
})

describe('the tokens of an answer', () => {
  const usage = { promptTokens: 10, cachedTokens: 0, completionTokens: 4 }

  it('are those of all its requests; the context holds those of the last', () => {
    const lost = restartAnswer(write(startAnswer(message, 0), 3, 0))
    const answer = applyChunk(write(lost, 4, 1000), { text: '', reasoning: '', usage }, 2000)
    expect(answerStats(answer)).toMatchObject({ completionTokens: 7, contextTokens: 14 })
  })

  it('are counted once if a stream is resumed after a reload', () => {
    const position = { answerId: 'a', eventId: 'a:3' }
    const saved: Message = { ...message, content: 'xxx', position, stats: { completionTokens: 3 } }
    const answer = write(startAnswer(saved, 0), 1, 100)
    expect(answerStats(answer).completionTokens).toBe(4)
    expect(answerStats(applyChunk(answer, { text: '', reasoning: '', usage }, 200)).completionTokens).toBe(4)
  })
})
