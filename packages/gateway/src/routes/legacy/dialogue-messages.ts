import type { AnswerPart, LegacyMessageType } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import type { AnswerReader } from '../../answer-reader.ts'
import type { GatewayContext } from '../../context.ts'
import { GatewayError } from '../../errors.ts'
import type { WebSocketConnection } from '../../server/websocket-server.ts'
import type { InferenceDialogue } from './inference-dialogue.ts'
import type { RawParams } from './python-values.ts'
import { jsonParams } from './request-params.ts'

/** The client of an inference session. */
export interface DialogueClient {
  /** Aborts when the client no longer waits for answers. */
  readonly signal: AbortSignal
  /** Undefined: the session ends with its connection. */
  readonly reader?: AnswerReader
  /** Resolves with the text of the next message. */
  receive(): Promise<string>
}

/** Yields the messages that answer one `generate` after another, until the client or the server ends the session. */
export async function* dialogueMessages(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  dialogue: InferenceDialogue,
  client: DialogueClient,
): AsyncGenerator<{ readonly ok: true } & AnswerPart, never, undefined> {
  try {
    void dialogue.prewarm()
    while (true) {
      const params = messageOf(await client.receive(), 'next', ['generate'])
      for await (const part of dialogue.generate(params, client)) yield { ok: true, ...part }
    }
  } finally {
    await sessions.closeOwned(dialogue)
  }
}

/** Resolves with the next message on a connection. @throws GatewayError `session_expired` if none arrives in time. */
export function receiveMessage(
  { config: { stepTimeoutMs } }: Pick<GatewayContext, 'config'>,
  { socket, drainSignal }: Pick<WebSocketConnection, 'socket' | 'drainSignal'>,
): Promise<string> {
  return socket.receive({
    timeoutMs: stepTimeoutMs,
    onTimeout: () => sessionExpiredError(stepTimeoutMs),
    signal: drainSignal,
  })
}

/** Returns the parameters of a message. @throws InvalidRequestError if it has another type. */
export function messageOf(
  text: string,
  place: 'first' | 'next',
  types: readonly LegacyMessageType[],
): RawParams {
  const params = jsonParams(text)
  const type = params('type')
  if (types.some((known) => known === type)) return params
  throw new InvalidRequestError(
    `The ${place} message must have the type "${types[0]}", but its type is ${JSON.stringify(type)?.slice(0, 50)}.`,
    { param: 'type', reason: 'invalid_value' },
  )
}

/** The original's page opens a new session when it reads "Session … expired". */
function sessionExpiredError(timeoutMs: number): GatewayError {
  const seconds = Math.round(timeoutMs / 1000)
  return new GatewayError(
    'session_expired',
    `Session on this connection expired: no message arrived for ${seconds} s. Open a new one and send the dialogue again.`,
  )
}
