import type { ChatFinishReason } from '@petals-chat/api'
import type { GeneratedToken, GenerationEndEvent, TextDeltaEvent } from '@petals-chat/engine'
import type { AnswerJob, ChoiceReader, PromptJob } from '../answer/answer-job.ts'
import { ChatAnswerReader, type ChatAnswerReaderOptions } from './chat-answer-reader.ts'
import type { ChatPart } from './chat-part.ts'

/** A piece of a chat answer, and the tokens that it was read from. */
export interface ChatDelta {
  readonly parts: readonly ChatPart[]
  readonly tokens: readonly GeneratedToken[]
}

export interface ChatTypes {
  readonly prompt: PromptJob
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
  #hasCalls = false

  constructor(options: ChatAnswerReaderOptions) {
    this.#reader = new ChatAnswerReader(options)
  }

  push({ text, tokens }: TextDeltaEvent): ChatDelta | undefined {
    return this.#delta(this.#reader.push(text), tokens)
  }

  finish(): ChatDelta | undefined {
    return this.#delta(this.#reader.finish(), [])
  }

  finishReason({ finishReason }: GenerationEndEvent): ChatFinishReason {
    return this.#hasCalls && finishReason === 'stop' ? 'tool_calls' : finishReason
  }

  #delta(parts: readonly ChatPart[], tokens: readonly GeneratedToken[]): ChatDelta | undefined {
    this.#hasCalls ||= parts.some(({ type }) => type === 'tool-call')
    return parts.length > 0 || tokens.length > 0 ? { parts, tokens } : undefined
  }
}
