import { describe, expect, it } from 'vitest'
import { ApiError } from '../api/errors.ts'
import type { TokenCount, TokenizeRequest } from '../api/tokenize.ts'
import type { Message } from '../chat/types.ts'
import { planRequest } from './plan-request.ts'

const CONTEXT = 1000
/** Above this number, the server refuses to count. */
const COUNTED = 3000

const path: readonly Message[] = Array.from({ length: 101 }, (_, index) => ({
  id: `m${index}`,
  chatId: 'c',
  parentId: index === 0 ? null : `m${index - 1}`,
  role: index % 2 === 0 ? 'user' : 'assistant',
  content: `${index} `.padEnd(100, 'x'),
  createdAt: index,
  status: 'done',
}))

/** A token is a character. */
async function countTokens({ messages = [] }: TokenizeRequest): Promise<TokenCount> {
  const tokens = messages.reduce((sum, { content }) => sum + content.length, 0)
  if (tokens > COUNTED) throw new ApiError({ kind: 'context-length', message: 'Too long by far.' })
  return { tokens, contextLength: CONTEXT }
}

const plan = (count: typeof countTokens) =>
  planRequest(
    { findModel: () => undefined, countTokens: count },
    { model: 'm', settings: { maxTokens: 200 }, path, continueLast: false },
    { shorten: false, writtenTokens: 0, signal: new AbortController().signal },
  )

describe('planRequest', () => {
  it('drops the beginning of a chat that is too long for the server to count', async () => {
    const { request, leftOut } = await plan(countTokens)
    const { tokens } = await countTokens(request)
    expect(tokens).toBeLessThanOrEqual(CONTEXT - 200)
    expect(tokens).toBeGreaterThan(CONTEXT / 3)
    expect(request.messages.at(-1)!.content).toMatch(/^100 /)
    expect(path[leftOut!.messages]!.id).toBe(leftOut!.firstSeenId)
  })

  describe('continues an answer that fills the context', () => {
    const plans = async (parts: readonly string[], allowed: number) => {
      const messages = parts.map((content, index) => ({ ...path[index]!, content }))
      const counted = async (request: TokenizeRequest): Promise<TokenCount> => {
        const { tokens } = await countTokens(request)
        if (tokens > allowed) throw new ApiError({ kind: 'context-length', message: 'Too long by far.' })
        return { tokens, contextLength: CONTEXT }
      }
      return planRequest(
        { findModel: () => undefined, countTokens: counted },
        { model: 'm', settings: {}, path: messages, continueLast: true },
        { shorten: false, writtenTokens: 0, signal: new AbortController().signal },
      )
    }
    const answer = 'word '.repeat(400)

    it.each([
      ['a server that counts all', COUNTED],
      ['a server that refuses to count what is too long', CONTEXT],
    ])('from its end: %s', async (_, allowed) => {
      const { request, leftOut } = await plans(['Write.', answer], allowed)
      const tokens = request.messages.reduce((sum, { content }) => sum + content.length, 0)
      expect(tokens).toBeLessThan(CONTEXT * 0.9)
      expect(tokens).toBeGreaterThan(CONTEXT / 3)
      expect(request.messages.map(({ role }) => role)).toEqual(['user', 'assistant'])
      expect(answer.endsWith(request.messages[1]!.content)).toBe(true)
      expect(request.messages[1]!.content).toMatch(/^word /)
      expect(request.continue_final_message).toBe(true)
      expect(leftOut).toEqual({ messages: 0, firstSeenId: 'm0', partOfAnswer: true })
    })

    it('without the turns before it', async () => {
      const { request, leftOut } = await plans(['First', 'Second', 'Write.', answer], COUNTED)
      expect(request.messages[0]!.content).toBe('Write.')
      expect(leftOut).toEqual({ messages: 2, firstSeenId: 'm2', partOfAnswer: true })
    })

    it('and keeps the answer whole if only earlier turns are too long', async () => {
      const { request, leftOut } = await plans([answer, 'Yes', 'Write.', 'Begun'], COUNTED)
      expect(request.messages.map(({ content }) => content)).toEqual(['Write.', 'Begun'])
      expect(leftOut).toEqual({ messages: 2, firstSeenId: 'm2' })
    })
  })

  it('fails if tokens can’t be counted for another reason', async () => {
    await expect(plan(() => Promise.reject(new ApiError({ kind: 'network', message: '' })))).rejects.toThrow(
      ApiError,
    )
  })
})
