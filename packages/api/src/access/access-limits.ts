import { z } from 'zod'

const bound = z.int().min(1).max(Number.MAX_SAFE_INTEGER).optional()

/** Bounds of one caller. A bound that is left out does not apply. */
export const accessLimitsSchema = z.strictObject({
  requestsPerMinute: bound.describe('Requests in a minute.'),
  tokensPerMinute: bound.describe('Tokens of prompts and answers together in a minute.'),
  tokensPerDay: bound.describe('Tokens of prompts and answers together in a day.'),
  parallelAnswers: bound.describe('Answers that run at the same time.'),
  maxContext: bound.describe('The longest prompt and answer together, in tokens.'),
  swarmSecondsPerDay: bound.describe('Seconds in a day that servers of a swarm work for the caller.'),
})

export type AccessLimits = Readonly<z.output<typeof accessLimitsSchema>>
