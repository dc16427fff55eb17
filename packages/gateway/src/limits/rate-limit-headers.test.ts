import { expect, it } from 'vitest'
import { rateLimitHeaderNames, rateLimitHeaders, shortDuration } from './rate-limit-headers.ts'

it('writes durations as OpenAI does, and never a shorter one than there is', () => {
  const shown = [0, 0.2, 350, 999, 1_000, 1_001, 59_999, 60_000, 360_000, 3_600_000, 86_399_000].map(
    shortDuration,
  )
  expect(shown).toEqual([
    '0ms',
    '1ms',
    '350ms',
    '999ms',
    '1s',
    '2s',
    '1m0s',
    '1m0s',
    '6m0s',
    '1h0m0s',
    '23h59m59s',
  ])
})

it('names exactly the headers that it sets, and sets none without a limit', () => {
  const limit = { limit: 60, remaining: 59, resetMs: 12_000 }
  const headers = rateLimitHeaders(limit, { limit: 1_000, remaining: 0, resetMs: 60_000 })
  expect(Object.keys(headers).sort()).toEqual([...rateLimitHeaderNames].sort())
  expect(headers).toMatchObject({
    'x-ratelimit-remaining-requests': '59',
    'x-ratelimit-reset-tokens': '1m0s',
  })
  expect(rateLimitHeaders(undefined, undefined)).toEqual({})
  expect(Object.keys(rateLimitHeaders(limit, undefined))).toHaveLength(3)
})
