import type { Message, StepToken } from '../protocol.ts'

/** Sends messages to the parent. The tokens of one step, for all requests, are in one message. */
export class Outbox {
  readonly #post: (message: Message) => void
  #tokens: StepToken[] = []

  constructor(post: (message: Message) => void) {
    this.#post = post
  }

  /** The token is sent by the next `flush`, or before the next message. */
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
