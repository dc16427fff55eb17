import { InvalidRequestError } from '@petals-chat/engine'
import type { KeptAnswer } from '../../answers/kept-answer.ts'
import type { GatewayContext } from '../../context.ts'
import type { WebSocketConnection, WebSocketRoute } from '../../server/websocket-server.ts'
import { converse, failureOf, messageOf, receiveOptions, socketChannel } from './dialogue-channel.ts'
import { InferenceDialogue } from './inference-dialogue.ts'
import { resolveModel } from '../resolve-model.ts'
import { checkSessionLength } from './legacy-model.ts'
import { flagParam, integerParam, type RawParams, textParam } from './python-values.ts'
import { ResumableSession } from './resumable-session.ts'

/** RFC 6455, 7.4.1. */
const NORMAL_CLOSURE = 1000

/** The sessions that may be resumed. */
type ResumableSessions = WeakMap<KeptAnswer, ResumableSession>

/** `/api/v2/generate`: one inference session a socket, and its answers as they are written. */
export const legacyWebSocketRoute = (context: GatewayContext): WebSocketRoute => {
  const sessions: ResumableSessions = new WeakMap()
  return {
    path: '/api/v2/generate',
    async serve(connection) {
      const { socket } = connection
      try {
        await serveSession(context, sessions, connection)
      } catch (error) {
        await socket.send(failureOf(error, socket.signal, connection).body)
      } finally {
        socket.close(NORMAL_CLOSURE)
      }
    },
  }
}

async function serveSession(
  context: GatewayContext,
  sessions: ResumableSessions,
  connection: WebSocketConnection,
): Promise<void> {
  const { socket } = connection
  const text = await socket.receive(receiveOptions(context.config.stepTimeoutMs, connection))
  const params = messageOf(text, 'first', ['open_inference_session', 'resume'])
  if (params('type') === 'resume') return resumeSession(context, sessions, connection, params)
  const dialogue = await openDialogue(context, connection, params)
  const answer = flagParam(params, 'resumable')
    ? context.answers.open('session', connection.logger)
    : undefined
  if (answer === undefined) {
    await socket.send({ ok: true })
    return converse(context, dialogue, socketChannel(context, connection))
  }
  const session = new ResumableSession(context, answer)
  sessions.set(answer, session)
  void session.run(dialogue, connection)
  await session.attach(connection, 0)
}

/** Beyond the original: goes on with a session whose socket was cut. */
async function resumeSession(
  { answers }: GatewayContext,
  sessions: ResumableSessions,
  connection: WebSocketConnection,
  params: RawParams,
): Promise<void> {
  const answer = answers.find(textParam(params, 'id') ?? '', 'session')
  const received = integerParam(params, 'received') ?? 0
  const { last } = answer.log
  if (received < 0 || received > last) {
    const message = `received has to be the seq of the last message that came, 0 to ${last}, but is ${received}.`
    throw new InvalidRequestError(message, { param: 'received', reason: 'invalid_value' })
  }
  answers.countResumption(answer)
  await sessions.get(answer)?.attach(connection, received)
}

async function openDialogue(
  context: GatewayContext,
  connection: WebSocketConnection,
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
  const { socket, logger } = connection
  const spec = resolveModel(context, textParam(params, 'model'), connection)
  const model = await context.registry.get(spec.id, { signal: socket.signal })
  checkSessionLength(maxLength, spec, model)
  return new InferenceDialogue({ sessions: context.sessions, spec, model, maxLength, logger })
}
