import { InvalidRequestError } from '@petals-chat/engine'
import type { KeptAnswer } from '../../answers/kept-answer.ts'
import type { GatewayContext } from '../../context.ts'
import { describeAndLogError, errorThatCounts, legacyErrorBody } from '../../error-response.ts'
import type { WebSocketConnection, WebSocketRoute } from '../../server/websocket-server.ts'
import { webSocketPaths } from '../../server/websocket-upgrade.ts'
import { substituteFor } from '../../generation/answer/fallback.ts'
import { resolveExactModel, resolveModel } from '../../generation/request/resolve-model.ts'
import { dialogueMessages, messageOf, receiveMessage } from './dialogue-messages.ts'
import { beginRequest } from './begin-request.ts'
import { allowedLength, assertFits } from './generate-chunks.ts'
import { InferenceDialogue, type InferenceDialogueOptions, type Speaker } from './inference-dialogue.ts'
import { flagParam, integerParam, type RawParams, textParam } from './python-values.ts'
import { ResumableSession } from './resumable-session.ts'

/** RFC 6455, section 7.4.1. */
const NORMAL_CLOSURE = 1000

/** The sessions that may be resumed. */
type ResumableSessions = WeakMap<KeptAnswer, ResumableSession>

/** `/api/v2/generate`: one inference session per socket, whose answers are sent while they are generated. */
export const legacyWebSocketRoute = (context: GatewayContext): WebSocketRoute => {
  const sessions: ResumableSessions = new WeakMap()
  return {
    path: webSocketPaths.generate,
    async serve(connection) {
      const { socket } = connection
      try {
        await serveSession(context, sessions, connection)
      } catch (thrown) {
        const error = errorThatCounts(thrown, socket.signal)
        const description = describeAndLogError(error, connection, 'inference session failed unexpectedly')
        await socket.send(legacyErrorBody(description))
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
  const receive = () => receiveMessage(context, connection)
  const params = messageOf(await receive(), 'first', ['open_inference_session', 'resume'])
  if (params('type') === 'resume') return resumeSession(context, sessions, connection, params)
  const dialogue = await openDialogue(context, connection, params)
  const answer = flagParam(params, 'resumable')
    ? context.answers.open('session', connection.caller, connection.logger)
    : undefined
  if (answer === undefined) {
    await socket.send({ ok: true })
    const messages = dialogueMessages(context, dialogue, { signal: socket.signal, receive })
    for await (const message of messages) await socket.send(message)
    return
  }
  const session = new ResumableSession(context, answer)
  sessions.set(answer, session)
  void session.run(dialogue, connection)
  await session.attach(connection, 0)
}

/** Beyond the original: continues a session whose socket was cut. */
async function resumeSession(
  { answers }: GatewayContext,
  sessions: ResumableSessions,
  connection: WebSocketConnection,
  params: RawParams,
): Promise<void> {
  const answer = answers.find(textParam(params, 'id') ?? '', connection.caller, 'session')
  const received = integerParam(params, 'received') ?? 0
  const { last } = answer.log
  if (received < 0 || received > last) {
    const message = `received must be the seq of the last message that arrived, 0 to ${last}, but is ${received}.`
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
      'max_length must be the greatest length of the session in tokens, at least 1.',
      {
        param: 'max_length',
        reason: maxLength === undefined ? 'missing_required_parameter' : 'invalid_value',
      },
    )
  }
  const { logger, account } = connection
  const begin = () => beginRequest(context, connection)
  const speaker = await openSpeaker(context, connection, textParam(params, 'model'), maxLength)
  return new InferenceDialogue({ sessions: context.sessions, ...speaker, account, logger, begin })
}

/** Loads the model of a session, or its fallback. */
async function openSpeaker(
  context: GatewayContext,
  connection: WebSocketConnection,
  name: string | undefined,
  maxLength: number,
): Promise<Pick<InferenceDialogueOptions, 'speaker' | 'substitute'>> {
  const { logger, account, socket } = connection
  const spec = resolveModel(context, name, connection)
  const substitute = async (error: unknown, signal: AbortSignal): Promise<Speaker> => {
    const find = (id: string) => resolveExactModel(context, id, connection)
    const { spec: other, told, refusedBoth } = substituteFor(error, { spec, find, logger })
    context.sessions.assertRoom(other.id, { account })
    const model = await context.registry.get(other.id, { signal }).catch((refusal: unknown) => {
      throw refusedBoth(refusal)
    })
    const standsIn = { told, refusedBoth }
    return { spec: other, model, maxLength: Math.min(maxLength, allowedLength(other, model)), standsIn }
  }
  try {
    const model = await context.registry.get(spec.id, { signal: socket.signal })
    assertFits(maxLength, allowedLength(spec, model))
    return { speaker: { spec, model, maxLength, standsIn: undefined }, substitute }
  } catch (error) {
    return { speaker: await substitute(error, socket.signal), substitute }
  }
}
