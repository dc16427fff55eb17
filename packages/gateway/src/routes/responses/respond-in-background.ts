import type { ResponseRequest } from '@petals-chat/api'
import { abortable, InvalidRequestError } from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import { describeAndLogError, errorThatCounts } from '../../error-response.ts'
import { leaveAnswer } from '../../generation/answer/leave-answer.ts'
import { begun as untilBegun, type BeginAnswer } from '../../generation/answer/respond-with-answer.ts'
import type { ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import type { EventContext } from '../../generation/stream/stream-options.ts'
import { linkedAbortController } from '../../linked-abort-controller.ts'
import type { ResponseDialect } from './response-dialect.ts'
import { streamKept } from './stream-kept.ts'

/** @throws InvalidRequestError if a response in the background could not be read. */
export function checkBackground(
  { background, store }: ResponseRequest,
  { responses: { maxKept } }: GatewayContext['config'],
): void {
  if (!background) return
  if (store === false)
    throw refused('store: false', 'Only a response that is kept can be read later: omit store.')
  if (maxKept === 0) throw refused('this server', 'It keeps no responses (server.responses.maxKept).')
}

const refused = (other: string, instead: string): InvalidRequestError =>
  new InvalidRequestError(`'background' can't be combined with ${other}. ${instead}`, {
    param: 'background',
    reason: 'invalid_value',
  })

/**
 * Responds as soon as the request is checked and its model is there. The answer goes on without the connection, whose client
 * may read its events.
 */
export async function respondInBackground(
  c: EventContext,
  { shutdown, config }: Pick<GatewayContext, 'shutdown' | 'config'>,
  { stream }: Pick<ResponseRequest, 'stream'>,
  begin: BeginAnswer<ChatTypes, ChatJob>,
  dialect: ResponseDialect,
): Promise<Response> {
  const { controller, unlink } = linkedAbortController(shutdown.signal, c.var.caller.signal)
  const { signal } = controller
  const beginning = untilBegun(begin(signal))
  try {
    const { job, events } = await abortable(beginning, c.var.signal)
    const describe = (error: unknown) =>
      describeAndLogError(errorThatCounts(error, signal), c.var, 'response failed unexpectedly')
    const { begun, kept, ended } = await dialect.background(job, events, describe)
    void ended.then(unlink)
    return stream && kept !== undefined ? await streamKept(c, config, kept) : c.json(begun)
  } catch (error) {
    controller.abort(error)
    unlink()
    // Its first word may come in this moment.
    void beginning.then(({ events }) => leaveAnswer(events)).catch(() => {})
    throw error
  }
}
