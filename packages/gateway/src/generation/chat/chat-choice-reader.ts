import type { ChatFinishReason } from '@petals-chat/api'
import type { GenerationEndEvent, ScoredToken, TextDeltaEvent, Tokenizer } from '@petals-chat/engine'
import type { AnswerJob, ChoiceReader, SessionPrompt } from '../answer/answer-job.ts'
import { scoredTokens } from '../answer/scored-tokens.ts'
import { ChatAnswerReader, type ChatAnswerReaderOptions } from './chat-answer-reader.ts'
import type { ChatPart } from './chat-part.ts'

/** A piece of a chat answer and, if the request asked for log probabilities, the tokens that it was read from. */
export interface ChatDelta {
  readonly parts: readonly ChatPart[]
  readonly tokens: readonly ScoredToken[]
  /** Tokens that it was read from, where they are known. */
  readonly tokenCount?: number | undefined
}

export interface ChatTypes {
  readonly prompt: SessionPrompt
  readonly delta: ChatDelta
  readonly finishReason: ChatFinishReason
}

export interface ChatJob extends AnswerJob<ChatTypes> {
  readonly reader: ChatAnswerReaderOptions
  readonly logprobs: boolean
}

/** Separates thoughts, words and calls of one choice. */
export class ChatChoiceReader implements ChoiceReader<ChatTypes> {
  readonly #reader: ChatAnswerReader
  readonly #tokenizer: Tokenizer | undefined
  #hasCalls = false

  /** `tokenizer`: writes the tokens, if the request asked for log probabilities. */
  constructor(options: ChatAnswerReaderOptions, tokenizer?: Tokenizer) {
    this.#reader = new ChatAnswerReader(options)
    this.#tokenizer = tokenizer
  }

  push({ text, tokens }: TextDeltaEvent): ChatDelta | undefined {
    const parts = this.#reader.push(text)
    this.#note(parts)
    if (parts.length === 0 && tokens.length === 0) return undefined
    return {
      parts,
      tokens: this.#tokenizer ? scoredTokens(tokens, this.#tokenizer) : [],
      tokenCount: tokens.length,
    }
  }

  finish(): ChatDelta | undefined {
    const parts = this.#reader.finish()
    this.#note(parts)
    return parts.length > 0 ? { parts, tokens: [] } : undefined
  }

  finishReason({ finishReason }: GenerationEndEvent): ChatFinishReason {
    return this.#hasCalls && finishReason === 'stop' ? 'tool_calls' : finishReason
  }

  #note(parts: readonly ChatPart[]): void {
    this.#hasCalls ||= parts.some(({ type }) => type === 'tool-call')
  }
}
