import { z } from 'zod'
import type { Immutable } from '../immutable.ts'

/** What every refused or failed call of /v1 answers, and the event that ends a stream that failed. */
export const errorSchema = z.object({
  error: z.object({
    message: z.string().describe('For a person: what was wrong, where, and what to do.'),
    type: z.string(),
    param: z.string().nullable().describe('The field at fault, as `messages[0].content`.'),
    code: z.string().nullable(),
  }),
})

export type ErrorBody = Immutable<z.output<typeof errorSchema>>
