import type { DeletedResponse, InputItemList } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import { type Context, Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { AnswerCancelledError } from '../../errors.ts'
import { streamKept } from './stream-kept.ts'
import type { WholeItem } from './whole-item.ts'

/** `/v1/responses/{id}`: responses that are kept. Only the caller that made one finds it. */
export const keptResponseRoutes: RouteModule = ({ responses, config }) =>
  new Hono<{ Variables: GatewayVariables }>()
    .get('/v1/responses/:response', (c) => {
      const response = responses.find(c.req.param('response'), c.var.caller)
      const after = wantedEvents(c)
      if (after === undefined) return c.body(response.body, 200, { 'content-type': 'application/json' })
      if (response.isBackground) return streamKept(c, config, response, after)
      throw invalid('stream', 'only a response with background: true keeps its events')
    })
    .delete('/v1/responses/:response', async (c) => {
      const response = responses.find(c.req.param('response'), c.var.caller)
      responses.remove(response)
      await response.stop(new AnswerCancelledError())
      return c.json({ id: response.id, object: 'response', deleted: true } satisfies DeletedResponse)
    })
    .post('/v1/responses/:response/cancel', async (c) => {
      const response = responses.find(c.req.param('response'), c.var.caller)
      await response.stop(new AnswerCancelledError())
      return c.body(response.body, 200, { 'content-type': 'application/json' })
    })
    .get('/v1/responses/:response/input_items', (c) => {
      const response = responses.find(c.req.param('response'), c.var.caller)
      return c.json(pageOf(response.inputItems() as readonly WholeItem[], c))
    })

/** The number of the event before the first that the query asks for; undefined if it asks for the body. */
function wantedEvents(c: Context): number | undefined {
  const after = c.req.query('starting_after')
  if (c.req.query('stream') !== 'true') {
    if (after !== undefined) throw invalid('starting_after', 'it is only for stream=true')
    return undefined
  }
  if (after === undefined) return -1
  if (!/^\d{1,15}$/.test(after)) throw invalid('starting_after', 'it is the sequence_number of an event')
  return Number(after)
}

/** The items that the query asks for. */
function pageOf(oldestFirst: readonly WholeItem[], c: Context): InputItemList {
  const order = c.req.query('order') ?? 'desc'
  if (order !== 'asc' && order !== 'desc') throw invalid('order', `it has to be 'asc' or 'desc'`)
  const limit = Number(c.req.query('limit') ?? 20)
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    throw invalid('limit', 'it has to be an integer from 1 to 100')
  const items = order === 'asc' ? oldestFirst : oldestFirst.toReversed()
  const after = c.req.query('after')
  const place = after === undefined ? -1 : items.findIndex(({ id }) => id === after)
  if (after !== undefined && place === -1) throw invalid('after', 'no item of this response has that id')
  const data = items.slice(place + 1, place + 1 + limit)
  return {
    object: 'list',
    data: data.map(listed),
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: place + 1 + data.length < items.length,
  }
}

/** The content of a message that was sent as a text is listed as a part. */
function listed(item: WholeItem): Record<string, unknown> {
  if (item.type !== 'message' || typeof item.content !== 'string') return item
  const type = item.role === 'assistant' ? 'output_text' : 'input_text'
  return {
    ...item,
    content: [{ type, text: item.content, ...(type === 'output_text' && { annotations: [] }) }],
  }
}

const invalid = (param: string, problem: string): InvalidRequestError =>
  new InvalidRequestError(`Invalid '${param}': ${problem}.`, { param, reason: 'invalid_value' })
