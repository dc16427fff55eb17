import type { RemoteRequest } from '@petals-chat/engine'
import { z } from 'zod'
import { StreamFault } from './event-reader.ts'

/** Servers send null, or nothing, for what they don't have. */
const optional = <Schema extends z.ZodType>(schema: Schema) => schema.nullish()
const count = z.number().int().min(0)

const usageSchema = z.object({
  prompt_tokens: optional(count),
  completion_tokens: optional(count),
  prompt_tokens_details: optional(z.object({ cached_tokens: optional(count) })),
})

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

const logprobsSchema = z.union([completionLogprobsSchema, chatLogprobsSchema])
const callsSchema = z.array(callSchema)

export type ChunkUsage = z.output<typeof usageSchema>
export type Logprobs = z.output<typeof logprobsSchema>
export type CompletionLogprobs = z.output<typeof completionLogprobsSchema>
export type CallDelta = z.output<typeof callSchema>
type Optional<Value> = Value | null | undefined

/** A piece of a chat answer, or the whole of one. */
export interface MessageDelta {
  readonly content: Optional<string>
  readonly refusal: Optional<string>
  /** llama-server, DeepSeek, SGLang. */
  readonly reasoning_content: Optional<string>
  /** vLLM, OpenRouter, Ollama. */
  readonly reasoning: Optional<string>
  readonly tool_calls: Optional<readonly CallDelta[]>
}

export interface Choice {
  readonly index: Optional<number>
  readonly finish_reason: Optional<string>
  /** vLLM: the stop sequence, or the id of the token, that ended the answer. */
  readonly stop_reason: Optional<string | number>
  /** Of completions. */
  readonly text: Optional<string>
  /** Of chat completions. Servers that do not stream send the whole message. */
  readonly message: MessageDelta | undefined
  /** llama-server sends the form of chat completions for completions, too. */
  readonly logprobs: Optional<Logprobs>
}

/** An event of a streamed answer. What it has besides is ignored. */
export interface Chunk {
  readonly choices: readonly Choice[]
  readonly usage: Optional<ChunkUsage>
}

/**
 * Reads an event. What every event has is checked by hand: a schema of all of it takes several times as long, for each token
 * of an answer. @throws StreamFault if the event is none of the API
 */
export function readChunk(event: unknown, kind: RemoteRequest['kind']): Chunk {
  const { choices, usage } = fieldsOf(event)
  if (choices != null && !Array.isArray(choices)) throw noneOfTheApi()
  return {
    choices: (choices ?? []).map((choice) => readChoice(choice, kind)),
    usage: checked(usage, usageSchema),
  }
}

function readChoice(value: unknown, kind: RemoteRequest['kind']): Choice {
  const fields = fieldsOf(value)
  const { index, finish_reason, stop_reason, logprobs } = fields
  return {
    index: ofType(index, 'number'),
    finish_reason: ofType(finish_reason, 'string'),
    stop_reason: typeof stop_reason === 'number' ? stop_reason : ofType(stop_reason, 'string'),
    text: kind === 'completion' ? ofType(fields['text'], 'string') : undefined,
    message: kind === 'chat' ? readMessage(fields['delta'] ?? fields['message']) : undefined,
    logprobs: checked(logprobs, logprobsSchema),
  }
}

function readMessage(value: unknown): MessageDelta | undefined {
  if (value == null) return undefined
  const { content, refusal, reasoning_content, reasoning, tool_calls } = fieldsOf(value)
  return {
    content: ofType(content, 'string'),
    refusal: ofType(refusal, 'string'),
    reasoning_content: ofType(reasoning_content, 'string'),
    reasoning: ofType(reasoning, 'string'),
    tool_calls: checked(tool_calls, callsSchema),
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw noneOfTheApi()
  return value as Readonly<Record<string, unknown>>
}

interface Types {
  readonly string: string
  readonly number: number
}

function ofType<Name extends keyof Types>(value: unknown, name: Name): Optional<Types[Name]> {
  if (value != null && typeof value !== name) throw noneOfTheApi()
  return value as Optional<Types[Name]>
}

/** Checks what few events have. */
function checked<Schema extends z.ZodType>(value: unknown, schema: Schema): Optional<z.output<Schema>> {
  if (value == null) return undefined
  const { success, data } = schema.safeParse(value)
  if (!success) throw noneOfTheApi()
  return data
}

const noneOfTheApi = (): StreamFault => new StreamFault('sent an event that is none of the API')
