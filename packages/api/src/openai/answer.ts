import { z } from 'zod'

/** Answer of `POST /v1/answers/{id}/cancel`. */
export const answerSchema = z.object({
  id: z.string(),
  object: z.literal('answer'),
  outcome: z
    .enum(['complete', 'failed', 'cancelled', 'expired', 'shutdown'])
    .describe('How it ended; complete where the cancellation came too late.'),
})

/** Answer of `DELETE /v1/answers/{id}`. */
export const deletedAnswerSchema = z.object({
  id: z.string(),
  object: z.literal('answer.deleted'),
  deleted: z.literal(true),
})

export type AnswerObject = z.output<typeof answerSchema>
export type DeletedAnswer = z.output<typeof deletedAnswerSchema>
