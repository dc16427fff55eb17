import {
  estimateTokens,
  type RemoteEndEvent,
  type RemotePart,
  type RemotePartsEvent,
  type RemoteRequest,
  type ScoredToken,
} from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { CallReader } from './call-reader.ts'
import { type Choice, type ChunkUsage, type MessageDelta, readChunk } from './chunks.ts'
import { StreamFault } from './event-reader.ts'
import type { EventStreamOptions } from './event-stream.ts'
import { scoredTokens } from './scored-tokens.ts'

/** More text than any model writes in one answer: a server that never ends must not fill this machine's memory. */
const MAX_ANSWER_CHARACTERS = 16 * 1024 * 1024

/** How long a server may take to send the usage after the end of an answer. */
const USAGE_TIMEOUT_MS = 2_000

/** How long a server may be silent before the first token, and then. */
export type SilenceLimits = Pick<UpstreamModelSpec, 'firstTokenTimeoutMs' | 'idleTimeoutMs'>

/** Reads the events of one answer: its parts as they come, and then its end. Tells how long the next one may take. */
export class AnswerReader implements EventStreamOptions {
  readonly #request: RemoteRequest
  readonly #limits: SilenceLimits
  readonly #calls = new CallReader()
  #characters = 0
  #chunks = 0
  #finish: string | undefined
  #stopText: string | undefined
  #usage: ChunkUsage | undefined

  constructor(request: RemoteRequest, limits: SilenceLimits) {
    this.#request = request
    this.#limits = limits
  }

  /** Servers send headers at once, and are silent while they read the prompt. */
  get idleTimeoutMs(): number {
    const { firstTokenTimeoutMs, idleTimeoutMs } = this.#limits
    if (this.isFinished) return Math.min(USAGE_TIMEOUT_MS, idleTimeoutMs)
    return this.#chunks === 0 ? firstTokenTimeoutMs : idleTimeoutMs
  }

  /** The server said why the answer ended. */
  get isFinished(): boolean {
    return this.#finish !== undefined
  }

  /** @throws StreamFault if the event is none of the API */
  read(event: unknown): RemotePartsEvent | undefined {
    const { choices, usage } = readChunk(event, this.#request.kind)
    this.#usage = usage ?? this.#usage
    const choice = choices.find(({ index }) => (index ?? 0) === 0)
    if (choice == null) return undefined
    const { finish_reason: reason } = choice
    if (reason != null && brokenReasons.has(reason))
      throw new StreamFault(`ended an answer early (${reason})`)
    this.#finish = reason ?? this.#finish
    if (typeof choice.stop_reason === 'string') this.#stopText = choice.stop_reason
    return this.#event(this.#partsOf(choice), scoredTokens(choice.logprobs))
  }

  end(): RemoteEndEvent {
    return {
      type: 'end',
      finishReason: finishReasonOf(this.#finish, this.#calls.hasCalls),
      stopText: this.#stopText,
      usage: usageOf(this.#usage, this.#request, { characters: this.#characters, chunks: this.#chunks }),
    }
  }

  #partsOf({ text, message }: Choice): readonly RemotePart[] {
    return message === undefined ? textPart('content', text) : this.#partsOfMessage(message)
  }

  #partsOfMessage(delta: MessageDelta): readonly RemotePart[] {
    return [
      ...textPart('reasoning', delta.reasoning_content ?? delta.reasoning),
      ...textPart('content', delta.content),
      ...textPart('content', delta.refusal),
      ...(delta.tool_calls ?? []).flatMap((call) => this.#calls.read(call)),
    ]
  }

  #event(parts: readonly RemotePart[], tokens: readonly ScoredToken[]): RemotePartsEvent | undefined {
    if (parts.length === 0 && tokens.length === 0) return undefined
    this.#chunks += 1
    for (const part of parts) this.#characters += 'text' in part ? part.text.length : part.name.length
    if (this.#characters > MAX_ANSWER_CHARACTERS)
      throw new StreamFault(`sent an answer of more than ${MAX_ANSWER_CHARACTERS} characters`)
    return { type: 'parts', parts, tokens }
  }
}

const textPart = (type: 'content' | 'reasoning', text: string | null | undefined): readonly RemotePart[] =>
  text == null || text === '' ? [] : [{ type, text }]

/** What vLLM, SGLang, DeepSeek and OpenRouter say of an answer that is not whole. */
const brokenReasons: ReadonlySet<string> = new Set([
  'abort',
  'error',
  'network_error',
  'insufficient_system_resource',
])

/**
 * Servers have further words for the end of an answer (`eos`); an answer without calls was not ended by them. One that a
 * filter cut has an end that a client takes for incomplete.
 */
function finishReasonOf(reason: string | undefined, hasCalls: boolean): RemoteEndEvent['finishReason'] {
  if (reason === 'length' || reason === 'content_filter') return 'length'
  return hasCalls ? 'tool_calls' : 'stop'
}

/** Most servers send one token in one event. */
function usageOf(
  usage: ChunkUsage | undefined,
  { fields }: RemoteRequest,
  { characters, chunks }: { readonly characters: number; readonly chunks: number },
): RemoteEndEvent['usage'] {
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = usage ?? {}
  if (promptTokens != null && completionTokens != null) {
    const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0
    return {
      promptTokens,
      completionTokens,
      cachedTokens: Math.min(cached, promptTokens),
      isEstimated: false,
    }
  }
  return {
    promptTokens: promptTokens ?? estimatePrompt(fields),
    completionTokens: completionTokens ?? Math.max(chunks, Math.ceil(characters / 4)),
    cachedTokens: 0,
    isEstimated: true,
  }
}

/** Estimates the tokens of what the server reads of a request. */
export function estimatePrompt({ messages, prompt, tools }: RemoteRequest['fields']): number {
  if (Array.isArray(prompt)) return prompt.length
  const texts = typeof prompt === 'string' ? prompt : JSON.stringify([messages, tools])
  return estimateTokens(texts)
}
