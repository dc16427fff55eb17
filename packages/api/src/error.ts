import { z } from 'zod'
import type { Immutable } from './immutable.ts'

/** Body of every refused or failed call of /v1, and the last event of a stream that failed. */
export const errorSchema = z.object({
  error: z.object({
    message: z.string().describe('What was wrong, where, and what to do, in words.'),
    type: z.string(),
    param: z.string().nullable().describe('The field at fault, such as `messages[0].content`.'),
    code: z.string().nullable(),
  }),
})

export type ErrorBody = Immutable<z.output<typeof errorSchema>>
