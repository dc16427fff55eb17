import type { ChatDelta, ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import type { CompletionTypes } from '../../generation/completion/completion-choice-reader.ts'
import type { ScoredText } from '../../generation/completion/scored-text.ts'
import { chatLogprobs } from '../openai/response/logprobs.ts'
import type { Piece, PieceWriter } from './answer-dialect.ts'
import { contextAfter } from './dialogue-context.ts'
import type { ChatPiecesOptions } from './chat-pieces.ts'

/** Collects the pieces of a text. */
class GeneratedText {
  readonly logprobs: unknown[] = []
  response = ''
  thinking = ''

  add(response: string, thinking: string, logprobs: readonly unknown[]): Piece {
    this.response += response
    this.thinking += thinking
    this.logprobs.push(...logprobs)
    return piece(response, thinking, logprobs)
  }

  whole(): Piece {
    return piece(this.response, this.thinking, this.logprobs)
  }
}

const piece = (response: string, thinking = '', logprobs: readonly unknown[] = []): Piece => ({
  response,
  ...(thinking !== '' && { thinking }),
  ...(logprobs.length > 0 && { logprobs }),
})

/** Writes the answer to a message. Its end has the context for the next one. */
export class AnswerPieces implements PieceWriter<ChatTypes> {
  readonly #options: ChatPiecesOptions
  readonly #job: ChatJob | undefined
  readonly #text = new GeneratedText()
  #thoughts = ''

  constructor(options: ChatPiecesOptions, job: ChatJob | undefined) {
    this.#options = options
    this.#job = job
  }

  *write({ parts, tokens }: ChatDelta): Generator<Piece> {
    let logprobs: readonly unknown[] = this.#options.logprobs ? chatLogprobs(tokens) : []
    for (const part of parts) {
      if (part.type === 'reasoning') this.#thoughts += part.text
      if (part.type === 'content') yield this.#text.add(part.text, '', logprobs)
      else if (part.type === 'reasoning' && !this.#options.hidesThoughts)
        yield this.#text.add('', part.text, logprobs)
      else continue
      logprobs = []
    }
    if (logprobs.length > 0) yield this.#text.add('', '', logprobs)
  }

  empty(): Piece {
    return piece('')
  }

  rest(): readonly Piece[] {
    return []
  }

  whole(): Piece {
    return this.#text.whole()
  }

  last(): Piece {
    return { context: contextAfter(this.#job!, { thoughts: this.#thoughts, words: this.#text.response }) }
  }
}

/** Writes the continuation of a text. */
export class ContinuationPieces implements PieceWriter<CompletionTypes> {
  readonly #logprobs: boolean
  readonly #text = new GeneratedText()

  constructor({ logprobs }: Pick<ChatPiecesOptions, 'logprobs'>) {
    this.#logprobs = logprobs
  }

  *write({ text, tokens }: ScoredText): Generator<Piece> {
    if (text !== '' || this.#logprobs)
      yield this.#text.add(text, '', this.#logprobs ? chatLogprobs(tokens) : [])
  }

  empty(): Piece {
    return piece('')
  }

  rest(): readonly Piece[] {
    return []
  }

  whole(): Piece {
    return this.#text.whole()
  }
}
