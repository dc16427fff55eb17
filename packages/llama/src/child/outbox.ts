import type { Message, StepToken } from '../protocol.ts'

/** Sends messages to the parent; the tokens of one step, of all requests, in one message. */
export class Outbox {
  readonly #post: (message: Message) => void
  #tokens: StepToken[] = []

  constructor(post: (message: Message) => void) {
    this.#post = post
  }

  /** Sent with the next `flush`, or in front of the next other message. */
  addToken(token: StepToken): void {
    this.#tokens.push(token)
  }

  send(message: Message): void {
    this.flush()
    this.#post(message)
  }

  flush(): void {
    if (this.#tokens.length === 0) return
    const tokens = this.#tokens
    this.#tokens = []
    this.#post({ type: 'tokens', tokens })
  }
}
