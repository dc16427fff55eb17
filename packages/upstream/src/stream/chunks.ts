import { z } from 'zod'

/** Servers send null, or nothing, for what they don't have. */
const optional = <Schema extends z.ZodType>(schema: Schema) => schema.nullish()
const count = z.number().int().min(0)

const usageSchema = z.object({
  prompt_tokens: optional(count),
  completion_tokens: optional(count),
  prompt_tokens_details: optional(z.object({ cached_tokens: optional(count) })),
})

const finishSchema = {
  finish_reason: optional(z.string()),
  /** vLLM: the stop sequence, or the id of the token, that ended the answer. */
  stop_reason: optional(z.union([z.string(), z.number()])),
}

const tokenSchema = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: optional(z.array(z.int().min(0).max(255))).transform((bytes) => bytes ?? null),
})

/** Log probabilities of chat completions. */
const chatLogprobsSchema = z.object({
  content: optional(
    z.array(
      tokenSchema.extend({ top_logprobs: optional(z.array(tokenSchema)).transform((top) => top ?? []) }),
    ),
  ),
})

/** Log probabilities of completions. */
const completionLogprobsSchema = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: optional(z.array(z.record(z.string(), z.number()).nullable())).transform(
    (top) => top ?? null,
  ),
})

const callSchema = z.object({
  index: optional(z.int().min(0).max(1000)),
  id: optional(z.string()),
  function: optional(z.object({ name: optional(z.string()), arguments: optional(z.string()) })),
})

const deltaSchema = z.object({
  content: optional(z.string()),
  refusal: optional(z.string()),
  /** llama-server, DeepSeek, SGLang. */
  reasoning_content: optional(z.string()),
  /** vLLM, OpenRouter, Ollama. */
  reasoning: optional(z.string()),
  tool_calls: optional(z.array(callSchema)),
})

const chatChoiceSchema = z.object({
  ...finishSchema,
  index: optional(z.int()),
  delta: optional(deltaSchema),
  /** Servers that do not stream send the whole message. */
  message: optional(deltaSchema),
  logprobs: optional(chatLogprobsSchema),
})

const completionChoiceSchema = z.object({
  ...finishSchema,
  index: optional(z.int()),
  text: optional(z.string()),
  /** llama-server sends the form of chat completions here, too. */
  logprobs: optional(z.union([completionLogprobsSchema, chatLogprobsSchema])),
})

/** An event of a streamed chat completion. What it has besides is ignored. */
export const chatChunkSchema = z.object({
  choices: optional(z.array(chatChoiceSchema)),
  usage: optional(usageSchema),
})

/** An event of a streamed completion. */
export const completionChunkSchema = z.object({
  choices: optional(z.array(completionChoiceSchema)),
  usage: optional(usageSchema),
})

export type ChatChoice = z.output<typeof chatChoiceSchema>
export type CompletionChoice = z.output<typeof completionChoiceSchema>
export type ChunkUsage = z.output<typeof usageSchema>
export type CompletionLogprobs = z.output<typeof completionLogprobsSchema>
export type CallDelta = z.output<typeof callSchema>
export type MessageDelta = z.output<typeof deltaSchema>
