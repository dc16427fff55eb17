import type { OpenedMessage } from '@petals-chat/api'
import { abortable } from '@petals-chat/engine'
import type { KeptAnswer } from '../../answers/kept-answer.ts'
import type { AnswerReader } from '../../answer-reader.ts'
import type { GatewayContext } from '../../context.ts'
import { describeAndLogError, legacyErrorBody } from '../../error-response.ts'
import { ClientGoneError } from '../../errors.ts'
import type { WebSocketConnection } from '../../server/websocket-server.ts'
import { type DialogueClient, dialogueMessages, receiveMessage } from './dialogue-messages.ts'
import type { InferenceDialogue } from './inference-dialogue.ts'

/** The close code of a connection whose session another connection continues: its client should not reconnect. */
const TAKEN_OVER = 4409

type SessionContext = Pick<GatewayContext, 'answers' | 'config' | 'sessions'>

/** An inference session that outlives its socket for a while. Its messages are numbered, from 1, by `seq`. */
export class ResumableSession implements DialogueClient {
  readonly #context: SessionContext
  readonly #answer: KeptAnswer
  #connection: WebSocketConnection | undefined
  #arrival = Promise.withResolvers<WebSocketConnection>()
  #received = 0

  constructor(context: SessionContext, answer: KeptAnswer) {
    this.#context = context
    this.#answer = answer
  }

  get signal(): AbortSignal {
    return this.#answer.signal
  }

  get reader(): AnswerReader {
    return this.#answer
  }

  /** Runs the dialogue to its end, whatever happens to its sockets. Never rejects. */
  async run(dialogue: InferenceDialogue, connection: WebSocketConnection): Promise<void> {
    await this.#answer.run(this.#texts(dialogue), (error) =>
      this.#numbered(
        legacyErrorBody(describeAndLogError(error, connection, 'inference session failed unexpectedly')),
      ),
    )
  }

  /** Resolves with the next message from the session's socket; without a socket, waits for one. */
  async receive(): Promise<string> {
    while (true) {
      const connection = this.#connection ?? (await abortable(this.#arrival.promise, this.signal))
      try {
        const text = await receiveMessage(this.#context, connection)
        this.#received += 1
        return text
      } catch (error) {
        if (!(error instanceof ClientGoneError)) throw error
        if (this.#connection === connection) this.#connection = undefined
      }
    }
  }

  /**
   * Makes `connection` the session's only one. Sends the session's state, then the messages after number `received`, then
   * new ones as they come, until the session has ended. @throws ClientGoneError when the socket closes.
   */
  async attach(connection: WebSocketConnection, received: number): Promise<void> {
    const { socket } = connection
    this.#connection?.socket.abandon(TAKEN_OVER, new ClientGoneError())
    this.#connection = connection
    this.#arrival.resolve(connection)
    this.#arrival = Promise.withResolvers()
    try {
      await socket.send(this.#state)
      for await (const { text } of this.#answer.read(received, socket.signal)) await socket.sendText(text)
    } finally {
      const { reason } = socket.signal
      if (reason instanceof ClientGoneError && reason.isNormalClose) this.#endWith(reason)
    }
  }

  /** What a client needs to continue after a cut connection, such as whether its last `generate` arrived. */
  get #state(): OpenedMessage {
    return { ok: true, id: this.#answer.id, generate_count: this.#received }
  }

  async *#texts(dialogue: InferenceDialogue): AsyncGenerator<string, void, undefined> {
    for await (const message of dialogueMessages(this.#context, dialogue, this)) yield this.#numbered(message)
  }

  #numbered(message: object): string {
    return JSON.stringify({ ...message, seq: this.#answer.log.last + 1 })
  }

  /** The client closed the session itself, so it will not come back. */
  #endWith(reason: ClientGoneError): void {
    this.#context.answers.forget(this.#answer)
    void this.#answer.stop(reason)
  }
}
