import type { OpenedMessage } from '@petals-chat/api'
import { abortable } from '@petals-chat/engine'
import type { KeptAnswer } from '../../answers/kept-answer.ts'
import type { GatewayContext } from '../../context.ts'
import { ClientGoneError } from '../../errors.ts'
import type { WebSocketConnection } from '../../server/websocket-server.ts'
import { converse, type DialogueChannel, failureOf, receiveOptions } from './dialogue-channel.ts'
import type { InferenceDialogue } from './inference-dialogue.ts'

/** Tells a client that another connection goes on with its session: it should not come back. */
const TAKEN_OVER = 4409

type SessionContext = Pick<GatewayContext, 'answers' | 'config' | 'sessions'>

/** An inference session that outlives its socket for a while. Its messages are numbered, from 1, by `seq`. */
export class ResumableSession implements DialogueChannel {
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

  /** What its client has to know to go on with it: after a cut, whether its last `generate` arrived. */
  get state(): OpenedMessage {
    return { ok: true, id: this.#answer.id, generate_count: this.#received }
  }

  /** Runs the dialogue to its end, however its sockets come and go. Never rejects. */
  async run(dialogue: InferenceDialogue, { requestId, logger }: WebSocketConnection): Promise<void> {
    try {
      await converse(this.#context, dialogue, this)
    } catch (thrown) {
      const { error, body } = failureOf(thrown, this.signal, { requestId, logger })
      await this.send(body)
      this.#answer.end(error)
    }
  }

  /** The next message, of whatever socket the session has, or gets. */
  async receive(): Promise<string> {
    while (true) {
      const connection = this.#connection ?? (await abortable(this.#arrival.promise, this.signal))
      try {
        const text = await connection.socket.receive(
          receiveOptions(this.#context.config.stepTimeoutMs, connection),
        )
        this.#received += 1
        return text
      } catch (error) {
        if (!(error instanceof ClientGoneError)) throw error
        if (this.#connection === connection) this.#connection = undefined
      }
    }
  }

  async send(message: object): Promise<void> {
    this.#answer.write(JSON.stringify({ ...message, seq: this.#answer.log.last + 1 }))
  }

  /**
   * Makes `connection` the session's only one: first its state, then the messages after number `received`, then new ones
   * as they come, until the session has ended. @throws ClientGoneError when the socket closes.
   */
  async attach(connection: WebSocketConnection, received: number): Promise<void> {
    const { socket } = connection
    this.#connection?.socket.abandon(TAKEN_OVER, new ClientGoneError())
    this.#connection = connection
    this.#arrival.resolve(connection)
    this.#arrival = Promise.withResolvers()
    using _reader = this.#answer.attach()
    try {
      await socket.send(this.state)
      for await (const { text } of this.#answer.log.read(received, socket.signal)) await socket.sendText(text)
    } finally {
      const { reason } = socket.signal
      if (reason instanceof ClientGoneError && reason.isFarewell) this.#endWith(reason)
    }
  }

  /** Its client has said goodbye: nobody will come back. */
  #endWith(reason: ClientGoneError): void {
    this.#context.answers.forget(this.#answer)
    void this.#answer.stop(reason)
  }
}
