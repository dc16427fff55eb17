import type { DraftCount, GenerateOptions, GeneratedToken } from '../engine.ts'
import type { TokenId } from '../tokenizer.ts'

/** Events of `generateText`: text as soon as it is final, then exactly one end. */
export type GenerationEvent = TextDeltaEvent | GenerationEndEvent

export interface TextDeltaEvent {
  readonly type: 'text-delta'
  /** Never half a character, never a part of a stop sequence. May be empty when only tokens are reported. */
  readonly text: string
  /** The tokens that this text came from (with log probabilities where asked for). */
  readonly tokens: readonly GeneratedToken[]
}

export interface GenerationEndEvent {
  readonly type: 'generation-end'
  /** `stop`: an end token or a stop sequence; `length`: `maxNewTokens` or the session is used up. */
  readonly finishReason: 'stop' | 'length'
  /** The stop sequence or the text of the end token that was met. */
  readonly stopReason?: string | undefined
  /** The end token that was met, with log probabilities where asked for. It has no part in the text. */
  readonly endToken?: GeneratedToken | undefined
  readonly usage: Usage
  readonly timings: Timings
}

/** Counts in tokens. */
export interface Usage {
  readonly promptTokens: number
  /** Part of `promptTokens` that was already in the KV cache. */
  readonly cachedTokens: number
  readonly completionTokens: number
  /** Tokens that were guessed in advance; absent if the engine guesses none. */
  readonly drafts?: DraftCount | undefined
}

export interface Timings {
  /** From the call to the first token. */
  readonly timeToFirstTokenMs: number
  /** From the first token to the last. */
  readonly decodeMs: number
}

export interface TextRequest extends GenerateOptions {
  /** The whole prompt. A prefix that is already in the session's KV cache is not run again. */
  readonly tokens: readonly TokenId[]
  /** ≥ 1. */
  readonly maxNewTokens: number
  /** Texts that end the answer; they are not part of it. */
  readonly stop: readonly string[]
  /** Continue after the model's end tokens (default false). */
  readonly ignoreEos?: boolean | undefined
  /** Leave control tokens out of the text (default true). */
  readonly skipSpecialTokens?: boolean | undefined
}
