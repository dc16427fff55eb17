import { GenerationFailedError } from '@petals-chat/engine'
import type { AnswerToken, FailedMessage, Message } from '../protocol.ts'

/** Receives the messages about a request. */
export interface RequestListener {
  /** The GBNF that constrains the answer. */
  readonly grammar?: string | undefined
  onToken?(token: AnswerToken): void
  /** Called with the last message of the request. */
  onReply(reply: Reply): void
  /** Called if the process has died. */
  onLost(error: Error): void
}

export type Reply = Extract<Message, { request: number }>

/** The process replied that a request failed. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed'
  readonly reason: FailedMessage['reason']

  constructor({ reason, text }: FailedMessage) {
    super(text)
    this.reason = reason
  }
}

/** The process was replaced, and not because of this request, as far as is known: it may run again in the new process. */
export class ProcessReplaced extends GenerationFailedError {
  /** True if the process died before it was heard of again. Should this request kill processes, then it kills two at most. */
  readonly isUnseen: boolean

  constructor(message: string, { isUnseen }: { readonly isUnseen: boolean }) {
    super(message)
    this.isUnseen = isUnseen
  }
}

/** The requests that a model's process has not answered yet. */
export class Requests {
  readonly #listeners = new Map<number, RequestListener>()
  #next = 1
  /** Requests from this number on were sent after the last message of the process. */
  #firstUnseen = 1

  add(listener: RequestListener): number {
    const request = this.#next++
    this.#listeners.set(request, listener)
    return request
  }

  /** The process sent a message: it may have begun what it was sent before. */
  heard(): void {
    this.#firstUnseen = this.#next
  }

  /** Passes a message to the listeners of its requests. */
  deliver(message: Message): void {
    if (message.type === 'tokens') {
      for (const { request, ...token } of message.tokens) this.#listeners.get(request)?.onToken?.(token)
    } else if ('request' in message) {
      const listener = this.#listeners.get(message.request)
      this.#listeners.delete(message.request)
      listener?.onReply(message)
    }
  }

  /** Removes a request that the process may never answer, and returns its listener. */
  take(request: number): RequestListener | undefined {
    const listener = this.#listeners.get(request)
    this.#listeners.delete(request)
    return listener
  }

  /** Fails all requests: their process has died. `unseen` is for those that it can hardly have begun. */
  loseAll(error: Error, unseen: Error = error): void {
    const lost = [...this.#listeners]
    this.#listeners.clear()
    for (const [request, listener] of lost) listener.onLost(request < this.#firstUnseen ? error : unseen)
  }
}
