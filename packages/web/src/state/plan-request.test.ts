import { describe, expect, it } from 'vitest'
import { ApiError } from '../api/errors.ts'
import type { TokenCount, TokenizeRequest } from '../api/tokenize.ts'
import type { Message } from '../chat/types.ts'
import { planRequest } from './plan-request.ts'

const CONTEXT = 1000
/** Above it, the server refuses to count. */
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
  it('leaves out the beginning of a chat that the server refuses to count as a whole', async () => {
    const { request, leftOut } = await plan(countTokens)
    const { tokens } = await countTokens(request)
    expect(tokens).toBeLessThanOrEqual(CONTEXT - 200)
    expect(tokens).toBeGreaterThan(CONTEXT / 3)
    expect(request.messages.at(-1)!.content).toMatch(/^100 /)
    expect(path[leftOut!.messages]!.id).toBe(leftOut!.firstSeenId)
  })

  it('fails where tokens can’t be counted for another reason', async () => {
    await expect(plan(() => Promise.reject(new ApiError({ kind: 'network', message: '' })))).rejects.toThrow(
      ApiError,
    )
  })
})
