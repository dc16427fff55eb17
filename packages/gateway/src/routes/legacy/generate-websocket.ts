import { InvalidRequestError } from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import { describeError, legacyErrorBody } from '../../error-response.ts'
import { GatewayError } from '../../errors.ts'
import type { WebSocketConnection, WebSocketRoute } from '../../server/websocket-server.ts'
import { InferenceDialogue } from './inference-dialogue.ts'
import { checkSessionLength, findModel, restrictedModelError } from './legacy-model.ts'
import { integerParam, type RawParams, textParam } from './python-values.ts'
import { jsonParams } from './request-params.ts'

/** RFC 6455, 7.4.1. */
const NORMAL_CLOSURE = 1000

/** `/api/v2/generate`: one inference session a socket, and its answers as they are written. */
export const legacyWebSocketRoute = (context: GatewayContext): WebSocketRoute => ({
  path: '/api/v2/generate',
  async serve(connection) {
    try {
      await converse(context, connection)
    } catch (error) {
      await reportError(connection, error)
    } finally {
      connection.socket.close(NORMAL_CLOSURE)
    }
  },
})

async function converse(context: GatewayContext, connection: WebSocketConnection): Promise<never> {
  const { socket } = connection
  const dialogue = await openDialogue(
    context,
    connection,
    await receive(context, connection, 'open_inference_session'),
  )
  try {
    await socket.send({ ok: true })
    while (true) {
      const params = await receive(context, connection, 'generate')
      for await (const answer of dialogue.generate(params, { signal: socket.signal })) {
        await socket.send({ ok: true, ...answer })
      }
    }
  } finally {
    await context.sessions.closeOwned(dialogue)
  }
}

async function receive(
  { config }: GatewayContext,
  { socket, drainSignal }: WebSocketConnection,
  type: 'open_inference_session' | 'generate',
): Promise<RawParams> {
  const text = await socket.receive({
    timeoutMs: config.stepTimeoutMs,
    onTimeout: () => sessionExpiredError(config.stepTimeoutMs),
    signal: drainSignal,
  })
  const params = jsonParams(text)
  if (params('type') === type) return params
  throw new InvalidRequestError(
    `The ${type === 'generate' ? 'next' : 'first'} message has to be of type "${type}", but its type is ${JSON.stringify(params('type'))?.slice(0, 50)}.`,
    { param: 'type', reason: 'invalid_value' },
  )
}

async function openDialogue(
  context: GatewayContext,
  { socket, isSameOrigin, logger }: WebSocketConnection,
  params: RawParams,
): Promise<InferenceDialogue> {
  const maxLength = integerParam(params, 'max_length')
  if (maxLength === undefined || maxLength < 1) {
    throw new InvalidRequestError(
      'max_length has to be the number of tokens that the session may get long, at least 1.',
      {
        param: 'max_length',
        reason: maxLength === undefined ? 'missing_required_parameter' : 'invalid_value',
      },
    )
  }
  const spec = findModel(context, textParam(params, 'model'))
  if (!spec.publicApi && !isSameOrigin) throw restrictedModelError(spec)
  const model = await context.registry.get(spec.id, { signal: socket.signal })
  checkSessionLength(maxLength, spec, model)
  return new InferenceDialogue({ sessions: context.sessions, spec, model, maxLength, logger })
}

/** The original's page opens a new session when it reads "Session … expired". */
function sessionExpiredError(timeoutMs: number): GatewayError {
  const seconds = Math.round(timeoutMs / 1000)
  return new GatewayError(
    'session_expired',
    `Session on this connection expired: no message came for ${seconds} s. Open a new one and send the dialogue again.`,
  )
}

async function reportError(
  { socket, requestId, logger }: WebSocketConnection,
  thrown: unknown,
): Promise<void> {
  // An aborted session fails in many ways; what matters is why it was aborted.
  const error: unknown = socket.signal.aborted ? socket.signal.reason : thrown
  const description = describeError(error, requestId)
  if (!description.expected) logger.error({ err: error }, 'inference session failed unexpectedly')
  else if (description.status >= 500) logger.warn({ err: error }, description.message)
  await socket.send(legacyErrorBody(description))
}
