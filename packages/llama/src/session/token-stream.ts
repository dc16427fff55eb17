import { abortable, GenerationFailedError, type TokenId } from '@petals-chat/engine'
import type { AnswerToken, GenerateCommand } from '../protocol.ts'
import type { ModelWorker } from '../worker/model-worker.ts'
import { RequestFailed, type Reply } from '../worker/requests.ts'

/** How many tokens a model's process may be ahead of its reader: those of two steps, if all guesses are right. */
const WINDOW = 32
/** Credit is granted for so many tokens at a time. */
const GRANT = 8

export interface TokenStreamOptions {
  readonly worker: ModelWorker
  readonly command: Omit<GenerateCommand, 'type' | 'request' | 'credit'>
  /** The most tokens that the reader takes: no more are computed. */
  readonly most: number
  isEndToken(token: TokenId): boolean
}

/** The tokens of one answer, as they arrive from the model's process. */
export class TokenStream {
  readonly #options: TokenStreamOptions
  readonly #request: number
  readonly #tokens: AnswerToken[] = []
  #error: Error | undefined
  #wake: (() => void) | undefined
  /** Tokens that the reader has taken since the last credit was sent. */
  #taken = 0
  /** Tokens that no credit was granted for yet. */
  #ungranted: number
  #endTokenTaken = false

  constructor(options: TokenStreamOptions) {
    this.#options = options
    const credit = Math.min(WINDOW, options.most)
    this.#ungranted = options.most - credit
    this.#request = options.worker.open(
      (request) => ({ type: 'generate', request, credit, ...options.command }),
      {
        grammar: options.command.grammar,
        onToken: (token) => this.#push(token),
        onReply: (reply) => this.#fail(failureOf(reply)),
        onLost: (error) => this.#fail(error),
      },
    )
  }

  /** Returns the next token. @throws RequestFailed, GenerationFailedError, the signal's reason */
  async next(signal: AbortSignal): Promise<AnswerToken> {
    signal.throwIfAborted()
    this.#grantCredit()
    while (this.#tokens.length === 0) {
      if (this.#error) throw this.#error
      await abortable(new Promise<void>((resolve) => (this.#wake = resolve)), signal)
    }
    const token = this.#tokens.shift()!
    this.#taken++
    this.#endTokenTaken = this.#options.isEndToken(token.token)
    return token
  }

  /** After an end token the process waits until it is sent credit. */
  #grantCredit(): void {
    if (this.#taken < GRANT && !this.#endTokenTaken) return
    const count = Math.min(this.#taken, this.#ungranted)
    this.#ungranted -= count
    this.#options.worker.send({ type: 'credit', request: this.#request, count })
    this.#taken = 0
    this.#endTokenTaken = false
  }

  #push(token: AnswerToken): void {
    this.#tokens.push(token)
    this.#wake?.()
  }

  #fail(error: Error): void {
    this.#error = error
    this.#wake?.()
  }
}

const failureOf = (reply: Reply): Error =>
  reply.type === 'failed'
    ? new RequestFailed(reply)
    : new GenerationFailedError("The model's process ended the answer without a reason.")
