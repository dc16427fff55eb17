import { z } from 'zod'
import type { Immutable } from '../immutable.ts'

const nanoseconds = z.int().min(0)

const tokenLogprob = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int()).nullable().describe('Null for a token that is only part of a character.'),
})

export const logprobsField = z
  .array(tokenLogprob.extend({ top_logprobs: z.array(tokenLogprob) }))
  .optional()
  .describe('Of the tokens whose text this line has.')

/** What the end of an answer says. */
const endFields = {
  done_reason: z
    .enum(['stop', 'length'])
    .describe(
      'length: `num_predict` or the context is used up. An answer that ends with calls ends with stop.',
    ),
  total_duration: nanoseconds.describe('From the request to the end of the answer.'),
  load_duration: nanoseconds.describe('Until the model was loaded and the prompt was ready.'),
  prompt_eval_count: z.int().describe('Tokens of the prompt, with those that were already in the KV cache.'),
  prompt_eval_duration: nanoseconds.describe('From there to the first token.'),
  eval_count: z.int().describe('Tokens of the answer.'),
  eval_duration: nanoseconds.describe('From the first token to the last.'),
}

const headFields = { model: z.string(), created_at: z.iso.datetime() }

const toolCall = z.object({
  id: z.string(),
  function: z.object({
    index: z.int().describe('Calls of one answer count from 0.'),
    name: z.string(),
    arguments: z
      .record(z.string(), z.unknown())
      .describe('As the model wrote them: validate them before use.'),
  }),
})

const message = z.object({
  role: z.literal('assistant'),
  content: z.string(),
  thinking: z.string().optional(),
  tool_calls: z.array(toolCall).optional().describe('Whole calls: none is divided among lines.'),
})

const chatFields = { ...headFields, message, logprobs: logprobsField }
const generateFields = {
  ...headFields,
  response: z.string(),
  thinking: z.string().optional(),
  logprobs: logprobsField,
}
const context = z
  .array(z.int())
  .optional()
  .describe('The tokens of the dialogue, for the next request. Missing with `raw`.')

const done = z.literal(true)

/** The whole answer of `POST /api/chat`, or its last line. */
export const ollamaChatEndSchema = z.object({ ...chatFields, done, ...endFields })
/** A line of a streamed answer of `POST /api/chat`. */
export const ollamaChatLineSchema = z.discriminatedUnion('done', [
  z.object({ ...chatFields, done: z.literal(false) }),
  ollamaChatEndSchema,
])

/** The whole answer of `POST /api/generate`, or its last line. */
export const ollamaGenerateEndSchema = z.object({ ...generateFields, done, ...endFields, context })
/** A line of a streamed answer of `POST /api/generate`. */
export const ollamaGenerateLineSchema = z.discriminatedUnion('done', [
  z.object({ ...generateFields, done: z.literal(false) }),
  ollamaGenerateEndSchema,
])

export type OllamaChatEnd = Immutable<z.output<typeof ollamaChatEndSchema>>
export type OllamaChatLine = Immutable<z.output<typeof ollamaChatLineSchema>>
export type OllamaGenerateEnd = Immutable<z.output<typeof ollamaGenerateEndSchema>>
export type OllamaGenerateLine = Immutable<z.output<typeof ollamaGenerateLineSchema>>
export type OllamaToolCall = Immutable<z.output<typeof toolCall>>
