import { type UsageReport, usageQuerySchema } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { Caller } from '../../access/caller.ts'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { GatewayError } from '../../errors.ts'
import { totalOf } from '../../usage/usage-recorder.ts'
import { dayOf, type UsageEntry } from '@petals-chat/access'

const DEFAULT_DAYS = 30
const DAY_MS = 24 * 60 * 60 * 1000

/** `GET /v1/usage`: what callers have used, by day and model. */
export const usageRoutes: RouteModule = ({ usage }) =>
  new Hono<{ Variables: GatewayVariables }>().get('/v1/usage', (c) => {
    const { data: query, error } = usageQuerySchema.safeParse(c.req.query())
    if (error !== undefined) throw invalidQuery(String(error.issues[0]!.path[0]), error.issues[0]!.message)
    const to = query.to ?? dayOf(Date.now())
    const from = query.from ?? dayOf(Date.parse(to) - DEFAULT_DAYS * DAY_MS)
    if (from > to) throw invalidQuery('from', `it is later than the last day, ${to}`)
    const entries = usage.read({ from, to, caller: visibleCaller(c.var.caller, query.caller) })
    return c.json({
      object: 'list',
      from,
      to,
      data: entries.map((entry) => ({
        object: 'usage',
        day: entry.day,
        caller: entry.caller,
        model: entry.model,
        ...numbersOf(entry),
      })),
      total: numbersOf(totalOf(entries)),
    } satisfies UsageReport)
  })

/** @throws GatewayError `scope_required` if the caller asks for the use of another one, and may not see it. */
function visibleCaller({ id, scopes }: Caller, asked: string | undefined): string | undefined {
  if (scopes.has('admin') || asked === id) return asked
  if (asked === undefined) return id
  throw new GatewayError(
    'scope_required',
    "Only a caller with the scope 'admin' sees what others have used. Leave 'caller' out to see your own use.",
  )
}

const numbersOf = (use: Omit<UsageEntry, 'day' | 'caller' | 'model'>) => ({
  requests: use.requests,
  prompt_tokens: use.promptTokens,
  cached_tokens: use.cachedTokens,
  completion_tokens: use.completionTokens,
  swarm_seconds: use.swarmMs / 1000,
})

const invalidQuery = (param: string, problem: string): InvalidRequestError =>
  new InvalidRequestError(`Invalid '${param}': ${problem}.`, { param, reason: 'invalid_value' })
