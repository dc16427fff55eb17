import type { OllamaToolCall } from '@petals-chat/api'
import { callArguments } from '../../generation/chat/call-arguments.ts'
import type { ChatDelta, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import type { ChatPart } from '../../generation/chat/chat-part.ts'
import { chatLogprobs } from '../openai/response/logprobs.ts'
import type { Piece, PieceWriter } from './answer-dialect.ts'

/** What kind of answer a piece is written for. */
export interface ChatPiecesOptions {
  /** Thoughts are left out. */
  readonly hidesThoughts: boolean
  readonly logprobs: boolean
}

/** A call whose arguments are not complete yet. */
interface OpenCall {
  readonly index: number
  readonly id: string
  readonly name: string
  readonly json: string
}

type Message = {
  readonly content: string
  readonly thinking?: string
  readonly tool_calls?: readonly OllamaToolCall[]
}

/** Writes a dialogue's answer: words and thoughts as they come, calls when they are complete. */
export class ChatPieces implements PieceWriter<ChatTypes> {
  readonly #options: ChatPiecesOptions
  readonly #logprobs: unknown[] = []
  readonly #calls: OllamaToolCall[] = []
  #content = ''
  #thinking = ''
  #open: OpenCall | undefined

  constructor(options: ChatPiecesOptions) {
    this.#options = options
  }

  *write({ parts, tokens }: ChatDelta): Generator<Piece> {
    let logprobs: unknown[] = this.#options.logprobs ? chatLogprobs(tokens) : []
    this.#logprobs.push(...logprobs)
    for (const part of parts) {
      for (const message of this.#read(part)) {
        yield piece(message, logprobs)
        logprobs = []
      }
    }
    if (logprobs.length > 0) yield piece({ content: '' }, logprobs)
  }

  empty(): Piece {
    return piece({ content: '' })
  }

  *rest(): Generator<Piece> {
    for (const message of this.#closeCall()) yield piece(message)
  }

  whole(): Piece {
    return piece(
      {
        content: this.#content,
        ...(this.#thinking !== '' && { thinking: this.#thinking }),
        ...(this.#calls.length > 0 && { tool_calls: this.#calls }),
      },
      this.#logprobs,
    )
  }

  *#read(part: ChatPart): Generator<Message> {
    if (part.type === 'tool-arguments') {
      this.#open = this.#open && { ...this.#open, json: this.#open.json + part.text }
      return
    }
    yield* this.#closeCall()
    if (part.type === 'tool-call') this.#open = { ...part, json: '' }
    else if (part.type === 'content') {
      this.#content += part.text
      yield { content: part.text }
    } else if (!this.#options.hidesThoughts) {
      this.#thinking += part.text
      yield { content: '', thinking: part.text }
    }
  }

  *#closeCall(): Generator<Message> {
    if (this.#open === undefined) return
    const { index, id, name, json } = this.#open
    this.#open = undefined
    const call = { id, function: { index, name, arguments: callArguments(json) } }
    this.#calls.push(call)
    yield { content: '', tool_calls: [call] }
  }
}

const piece = (message: Message, logprobs: readonly unknown[] = []): Piece => ({
  message: { role: 'assistant', ...message },
  ...(logprobs.length > 0 && { logprobs }),
})
