import type { LegacyErrorBody, LegacyMessageType } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import type { GatewayContext, GatewayVariables } from '../../context.ts'
import { describeError, legacyErrorBody } from '../../error-response.ts'
import { GatewayError } from '../../errors.ts'
import type { ReceiveOptions } from '../../server/json-socket.ts'
import type { WebSocketConnection } from '../../server/websocket-server.ts'
import type { InferenceDialogue } from './inference-dialogue.ts'
import type { RawParams } from './python-values.ts'
import { jsonParams } from './request-params.ts'

/** Where an inference session has its messages from, and sends its answers to. */
export interface DialogueChannel {
  /** Aborts when nobody waits for answers any more. */
  readonly signal: AbortSignal
  /** The text of the next message. */
  receive(): Promise<string>
  send(message: object): Promise<void>
}

/** The channel of a session that lives and dies with its socket. */
export function socketChannel(
  { config }: Pick<GatewayContext, 'config'>,
  connection: WebSocketConnection,
): DialogueChannel {
  const { socket } = connection
  return {
    signal: socket.signal,
    receive: () => socket.receive(receiveOptions(config.stepTimeoutMs, connection)),
    send: (message) => socket.send(message),
  }
}

/** Answers one `generate` after another, until one of the two sides ends the session. */
export async function converse(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  dialogue: InferenceDialogue,
  channel: DialogueChannel,
): Promise<never> {
  try {
    void dialogue.prewarm()
    while (true) {
      const params = messageOf(await channel.receive(), 'next', ['generate'])
      for await (const answer of dialogue.generate(params, { signal: channel.signal })) {
        await channel.send({ ok: true, ...answer })
      }
    }
  } finally {
    await sessions.closeOwned(dialogue)
  }
}

export function receiveOptions(
  timeoutMs: number,
  { drainSignal }: Pick<WebSocketConnection, 'drainSignal'>,
): ReceiveOptions {
  return { timeoutMs, onTimeout: () => sessionExpiredError(timeoutMs), signal: drainSignal }
}

/** The parameters of a message. @throws InvalidRequestError if it is of another type. */
export function messageOf(
  text: string,
  place: 'first' | 'next',
  types: readonly LegacyMessageType[],
): RawParams {
  const params = jsonParams(text)
  const type = params('type')
  if (types.some((known) => known === type)) return params
  throw new InvalidRequestError(
    `The ${place} message has to be of type "${types[0]}", but its type is ${JSON.stringify(type)?.slice(0, 50)}.`,
    { param: 'type', reason: 'invalid_value' },
  )
}

/** The message that tells a client of an error, and the error itself. What only the log may see goes there. */
export function failureOf(
  thrown: unknown,
  signal: AbortSignal,
  { requestId, logger }: Pick<GatewayVariables, 'requestId' | 'logger'>,
): { readonly error: unknown; readonly body: LegacyErrorBody } {
  // An aborted session fails in many ways; what matters is why it was aborted.
  const error: unknown = signal.aborted ? signal.reason : thrown
  const description = describeError(error, requestId)
  if (!description.expected) logger.error({ err: error }, 'inference session failed unexpectedly')
  else if (description.status >= 500) logger.warn({ err: error }, description.message)
  return { error, body: legacyErrorBody(description) }
}

/** The original's page opens a new session when it reads "Session … expired". */
function sessionExpiredError(timeoutMs: number): GatewayError {
  const seconds = Math.round(timeoutMs / 1000)
  return new GatewayError(
    'session_expired',
    `Session on this connection expired: no message came for ${seconds} s. Open a new one and send the dialogue again.`,
  )
}
