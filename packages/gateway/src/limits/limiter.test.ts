import { ContextLengthError, silentMetrics } from '@petals-chat/engine'
import { afterEach, expect, it, vi } from 'vitest'
import type { AccessLimits } from '@petals-chat/api'
import { RateLimitError } from '../errors.ts'
import type { Quota } from './quota.ts'
import type { PlannedWork, WorkCost } from './allowance.ts'
import { Limiter, type LimiterOptions } from './limiter.ts'
import type { UsageEntry } from '@petals-chat/access'
import { memoryCounters } from './window-counters.ts'

afterEach(() => void vi.useRealTimers())

const limiterWith = (options: Partial<LimiterOptions> = {}): Limiter =>
  new Limiter({ counters: memoryCounters(), metrics: silentMetrics, usage: usageWith(), ...options })

const usageWith = (
  used: Partial<UsageEntry> = {},
  record: LimiterOptions['usage']['record'] = () => {},
): LimiterOptions['usage'] => ({
  record,
  read: ({ from, caller = '' }) =>
    [{ ...cost({ promptTokens: 0 }), day: from, caller: 'key:a', model: 'm', requests: 1, ...used }].filter(
      (entry) => entry.caller === caller,
    ),
})

const account = (limits: AccessLimits, id = 'key:a'): Quota => ({
  account: id,
  caller: id,
  title: 'This key',
  limits,
})

const work = (fields: Partial<PlannedWork> = {}): PlannedWork => ({
  model: 'm',
  engine: 'llama',
  promptTokens: 10,
  maxNewTokens: 20,
  ...fields,
})

const cost = (fields: Partial<WorkCost> = {}): WorkCost => ({
  promptTokens: 10,
  cachedTokens: 0,
  completionTokens: 0,
  swarmMs: 0,
  ...fields,
})

/** The error of a call that has to fail. */
async function refusalOf(call: Promise<unknown>): Promise<RateLimitError> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(RateLimitError)
  return error as RateLimitError
}

it('counts the requests of each account by itself, and says when to go on', async () => {
  const limiter = limiterWith()
  const limits = { requestsPerMinute: 3 }
  for (let request = 1; request <= 3; request++) {
    const allowance = await limiter.allowanceOf(account(limits))
    await allowance.countRequest()
    expect(allowance.headers()).toMatchObject({
      'x-ratelimit-limit-requests': '3',
      'x-ratelimit-remaining-requests': String(3 - request),
    })
  }
  const refused = await limiter.allowanceOf(account(limits))
  const { retryAfterMs, message } = await refusalOf(refused.countRequest())
  expect(retryAfterMs).toBeGreaterThan(0)
  expect(retryAfterMs).toBeLessThanOrEqual(60_000)
  expect(message).toMatch(/^This key may use at most 3 requests in a minute .* Try again in \d+m?\d*s\.$/)
  expect(refused.headers()).toMatchObject({ 'x-ratelimit-remaining-requests': '0' })
  await (await limiter.allowanceOf(account(limits, 'key:b'))).countRequest()
})

it('counts in advance what an answer may use, and gives back what it has not used', async () => {
  const limiter = limiterWith()
  const open = async () => limiter.allowanceOf(account({ tokensPerMinute: 50 }))
  const first = await open()
  const begun = await first.begin(work())
  expect(first.headers()).toMatchObject({ 'x-ratelimit-remaining-tokens': '20' })
  // Less is left than the second may use, but enough for its prompt.
  const second = await (await open()).begin(work())
  await refusalOf((await open()).begin(work({ promptTokens: 1 })))
  await begun.end(cost({ completionTokens: 5 }))
  await second.end(cost())
  const third = await open()
  await third.countRequest()
  expect(third.headers()).toMatchObject({ 'x-ratelimit-remaining-tokens': '25' })
})

it('lets answers that run at the same time use no more than the limit and one answer', async () => {
  const limiter = limiterWith()
  const attempts = Array.from({ length: 20 }, async () => {
    const allowance = await limiter.allowanceOf(account({ tokensPerMinute: 100 }))
    return allowance.begin(work({ promptTokens: 20, maxNewTokens: 100 }))
  })
  const results = await Promise.allSettled(attempts)
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

it('refuses prompts that are longer than the whole limit for good, and those that are longer than what is left for now', async () => {
  const limiter = limiterWith()
  const allowance = await limiter.allowanceOf(account({ tokensPerMinute: 50, tokensPerDay: 60 }))
  const open = (prompts: number) => allowance.openRequest({ prompts, answers: 0, longestAnswer: 0 })
  await expect(open(51)).rejects.toThrow(ContextLengthError)
  await (await open(50))[Symbol.asyncDispose]()
  const begun = await allowance.begin(work({ promptTokens: 30, maxNewTokens: 0 }))
  await begun.end(cost({ promptTokens: 30 }))
  await refusalOf(open(21))
  await (await open(20))[Symbol.asyncDispose]()
})

it('counts all parts of a request in advance, and refuses none of them once it has begun', async () => {
  const limiter = limiterWith()
  const limits = { tokensPerMinute: 100, parallelAnswers: 1 }
  const open = async () => limiter.allowanceOf(account(limits))
  const allowance = await open()
  const request = await allowance.openRequest({ prompts: 10, answers: 60, longestAnswer: 20 })
  for (let part = 0; part < 3; part++) {
    const begun = await allowance.begin(work({ promptTokens: 0, maxNewTokens: 20 }))
    await begun.end(cost({ promptTokens: 0, completionTokens: 20 }))
    // Between two parts the request still runs, and its rest is still counted.
    const other = await open()
    expect((await refusalOf(other.begin(work()))).message).toContain('parallelAnswers')
    await other.countRequest()
    expect(other.headers()).toMatchObject({ 'x-ratelimit-remaining-tokens': '30' })
  }
  await request[Symbol.asyncDispose]()
  await (await (await open()).begin(work())).end(cost())
})

it('lets only one answer of a request go beyond the limit', async () => {
  const limiter = limiterWith()
  const allowance = await limiter.allowanceOf(account({ tokensPerMinute: 100 }))
  const size = { prompts: 10, answers: 400, longestAnswer: 100 }
  await expect(allowance.openRequest(size)).rejects.toThrow("Lower 'max_tokens', or ask for fewer answers")
  await allowance.openRequest({ prompts: 10, answers: 100, longestAnswer: 50 })
  const other = await limiter.allowanceOf(account({ tokensPerMinute: 100 }))
  await refusalOf(other.openRequest({ prompts: 1, answers: 1, longestAnswer: 1 }))
})

it('limits the answers that run at the same time, also after failures', async () => {
  const limiter = limiterWith()
  const open = async () => limiter.allowanceOf(account({ parallelAnswers: 2, tokensPerMinute: 100 }))
  const running = [await (await open()).begin(work()), await (await open()).begin(work())]
  expect((await refusalOf((await open()).begin(work()))).message).toContain('parallelAnswers')
  await running[0]!.end(cost())
  // Refused by another limit: it does not count as running.
  await refusalOf((await open()).begin(work({ promptTokens: 99 })))
  await (await open()).begin(work({ promptTokens: 1 }))
})

it('limits the time of swarm servers, while an answer still runs', async () => {
  const limiter = limiterWith()
  const open = async () => limiter.allowanceOf(account({ swarmSecondsPerDay: 2 }))
  const allowance = await open()
  const swarmWork = work({ engine: 'petals' })
  const begun = await allowance.begin(swarmWork)
  begun.useSwarm(1_500)
  await (await open()).begin(swarmWork)
  begun.useSwarm(700)
  const { retryAfterMs, message } = await refusalOf((await open()).begin(swarmWork))
  await (await open()).begin(work())
  expect(message).toContain('2 seconds of swarm servers in a day (swarmSecondsPerDay)')
  expect(retryAfterMs).toBeLessThanOrEqual(24 * 60 * 60 * 1000)
  await begun.end(cost({ swarmMs: 2_300 }))
})

it('continues the limits of a day after a restart, once', async () => {
  const used = { promptTokens: 60, completionTokens: 30, swarmMs: 1_999 }
  const limiter = limiterWith({ usage: usageWith(used) })
  const limits = { tokensPerDay: 100, swarmSecondsPerDay: 2 }
  const both = await Promise.all([limiter.allowanceOf(account(limits)), limiter.allowanceOf(account(limits))])
  for (const allowance of both) {
    await allowance.countRequest()
    expect(allowance.headers()).toMatchObject({ 'x-ratelimit-remaining-tokens': '10' })
  }
  const other = await limiter.allowanceOf(account(limits, 'key:b'))
  await other.countRequest()
  expect(other.headers()).toMatchObject({ 'x-ratelimit-remaining-tokens': '100' })
})

it('tells what every piece of work has used', async () => {
  const uses: unknown[] = []
  const limiter = limiterWith({ usage: usageWith({}, (...use) => uses.push(use)) })
  const allowance = await limiter.allowanceOf(account({}))
  expect(allowance.headers()).toEqual({})
  await allowance.countRequest()
  await (await allowance.begin(work())).end(cost({ completionTokens: 3 }))
  await (await allowance.begin(work())).end(cost({ promptTokens: 0, completionTokens: 4 }))
  expect(uses).toEqual([
    ['key:a', 'm', { ...cost({ completionTokens: 3 }), requests: 1 }],
    ['key:a', 'm', { ...cost({ promptTokens: 0, completionTokens: 4 }), requests: 0 }],
  ])
})

it.each([
  ['back', -3_600_000],
  ['forward', 3_600_000],
])('keeps its times when the clock is set %s by an hour', async (_how, jumpMs) => {
  const limiter = limiterWith()
  const limits = { requestsPerMinute: 1, tokensPerMinute: 100 }
  const first = await limiter.allowanceOf(account(limits))
  await first.countRequest()
  const running = await first.begin(work({ promptTokens: 10, maxNewTokens: 90 }))
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() + jumpMs)
  expect(first.headers()['x-ratelimit-reset-requests']).toBe('1m0s')
  await running.end(cost())
  const second = await limiter.allowanceOf(account(limits))
  if (jumpMs < 0) {
    const { retryAfterMs } = await refusalOf(second.countRequest())
    expect(retryAfterMs).toBeGreaterThan(0)
    expect(retryAfterMs).toBeLessThanOrEqual(60_000)
    // What a request has not used is given back to its window.
    const third = await limiter.allowanceOf(account({ tokensPerMinute: 100 }))
    await third.countRequest()
    expect(third.headers()['x-ratelimit-remaining-tokens']).toBe('90')
  } else {
    await second.countRequest()
    expect(second.headers()).toMatchObject({
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '1m0s',
    })
  }
})

it('goes on with the limits of a day when the clock is set back in it', async () => {
  vi.useFakeTimers()
  vi.setSystemTime(Date.UTC(2026, 10, 29, 10))
  const limiter = limiterWith({ usage: usageWith({}, () => {}) })
  const use = async () => {
    const allowance = await limiter.allowanceOf(account({ tokensPerDay: 30 }, 'key:b'))
    await allowance.countRequest()
    return (await allowance.begin(work())).end(cost({ completionTokens: 20 }))
  }
  await use()
  vi.setSystemTime(Date.UTC(2026, 10, 29, 9))
  // By the clock that was set back it is 23:30; when the count began, the day had half an hour less.
  await vi.advanceTimersByTimeAsync(14.5 * 3_600_000)
  expect((await refusalOf(use())).retryAfterMs).toBe(1_800_000)
  await vi.advanceTimersByTimeAsync(1_800_000)
  await use()
})
