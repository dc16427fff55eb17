import type { AnswerObject, DeletedAnswer } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import { type Context, Hono } from 'hono'
import type { KeptAnswer } from '../../answers/kept-answer.ts'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { AnswerCancelledError, GatewayError } from '../../errors.ts'
import { streamAnswer } from '../../generation/stream/respond-resumably.ts'
import { openAIStream } from './response/openai-stream.ts'

/** `/v1/answers/{id}`: answers that were requested with `resumable`. Only the caller that made one finds it. */
export const answerRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>()
    .get('/v1/answers/:answer/stream', (c) => {
      // A request for the headers alone would count as a reader that never ends.
      if (c.req.method === 'HEAD') throw new GatewayError('method_not_allowed', 'Use GET to read an answer.')
      const answer = context.answers.find(c.req.param('answer'), c.var.caller, 'stream')
      const after = positionOf(c, answer)
      // This status makes an EventSource stop reconnecting.
      if (!answer.isRunning && after === answer.log.last) return c.body(null, 204)
      context.answers.countResumption(answer)
      return streamAnswer(c, context, { answer, dialect: openAIStream }, after)
    })
    .post('/v1/answers/:answer/cancel', async (c) => {
      const answer = context.answers.find(c.req.param('answer'), c.var.caller)
      await answer.stop(new AnswerCancelledError())
      return c.json({ id: answer.id, object: 'answer', outcome: answer.outcome! } satisfies AnswerObject)
    })
    .delete('/v1/answers/:answer', async (c) => {
      const answer = context.answers.find(c.req.param('answer'), c.var.caller)
      context.answers.forget(answer)
      await answer.stop(new AnswerCancelledError())
      return c.json({ id: answer.id, object: 'answer.deleted', deleted: true } satisfies DeletedAnswer)
    })

/** The number of the last event that the client has. The header takes precedence: an EventSource keeps its first address. */
function positionOf(c: Context, answer: KeptAnswer): number {
  const header = c.req.header('last-event-id')
  const [param, text] =
    header === undefined ? ['after', c.req.query('after') ?? '0'] : ['Last-Event-ID', header]
  const [, id = answer.id, digits] = /^(?:([\w-]+):)?(\d{1,15})$/.exec(text.trim()) ?? []
  if (digits === undefined || id !== answer.id)
    throw wrongPosition(param, `it has to be the id of the last event that arrived, or its number`)
  const { last } = answer.log
  if (Number(digits) > last) throw wrongPosition(param, `this answer has ${last} events so far`)
  return Number(digits)
}

const wrongPosition = (param: string, problem: string): InvalidRequestError =>
  new InvalidRequestError(`Invalid '${param}': ${problem}.`, { param, reason: 'invalid_value' })
