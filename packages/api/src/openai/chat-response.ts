import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { toolCallSchema } from './messages.ts'
import { petalsSchema } from '../swarm/route.ts'
import { timingsSchema, usageSchema } from './usage.ts'

const tokenLogprobFields = {
  token: z.string(),
  logprob: z.number(),
  bytes: z
    .array(z.int())
    .nullable()
    .describe('UTF-8 of the token; null where the token is only part of a character.'),
}

export const chatLogprobsSchema = z.object({
  content: z
    .array(z.object({ ...tokenLogprobFields, top_logprobs: z.array(z.object(tokenLogprobFields)) }))
    .nullable(),
  refusal: z.null(),
})

const finishReason = z
  .enum(['stop', 'length', 'tool_calls'])
  .describe('stop: the model ended, or wrote a stop text; length: max_tokens or the context is used up.')

const head = {
  id: z.string(),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z
    .string()
    .describe('Changes with the version of this server and the configuration of the model.'),
}

/** Response body of `POST /v1/chat/completions`. */
export const chatResponseSchema = z.object({
  ...head,
  object: z.literal('chat.completion'),
  choices: z.array(
    z.object({
      index: z.int(),
      message: z.object({
        role: z.literal('assistant'),
        content: z.string().nullable(),
        reasoning_content: z.string().optional(),
        refusal: z.null(),
        annotations: z.array(z.never()).describe('Always empty.'),
        tool_calls: z.array(toolCallSchema).optional(),
      }),
      logprobs: chatLogprobsSchema.nullable(),
      finish_reason: finishReason,
    }),
  ),
  usage: usageSchema,
  timings: timingsSchema,
  petals: petalsSchema.optional(),
})

const toolCallDelta = z.object({
  index: z.int(),
  id: z.string().optional(),
  type: z.literal('function').optional(),
  function: z.object({ name: z.string().optional(), arguments: z.string() }),
})

/** One event of a streamed answer. */
export const chatChunkSchema = z.object({
  ...head,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      index: z.int(),
      delta: z.object({
        role: z.literal('assistant').optional(),
        content: z.string().nullish(),
        refusal: z.null().optional(),
        reasoning_content: z.string().optional(),
        tool_calls: z.array(toolCallDelta).optional(),
      }),
      logprobs: chatLogprobsSchema.nullable(),
      finish_reason: finishReason.nullable(),
    }),
  ),
  usage: usageSchema.nullish(),
  timings: timingsSchema.optional(),
  petals: petalsSchema.optional(),
})

export type ChatChunk = Immutable<z.output<typeof chatChunkSchema>>
export type ChatResponse = z.output<typeof chatResponseSchema>
export type ChatChoice = ChatResponse['choices'][number]
export type ChatLogprobs = z.output<typeof chatLogprobsSchema>
export type ChatTokenLogprob = NonNullable<ChatLogprobs['content']>[number]
export type ChatFinishReason = z.output<typeof finishReason>
