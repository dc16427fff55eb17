import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { json, type Operation } from '../operation.ts'
import { openaiOperation } from './openai-operation.ts'

const day = z.iso.date('it must be a day such as 2026-11-30')

/** What was used, in numbers. */
const usedFields = {
  requests: z.int().describe('Requests that ran a model.'),
  prompt_tokens: z.int(),
  cached_tokens: z.int().describe('The part of prompt_tokens that was already in a KV cache.'),
  completion_tokens: z.int(),
  swarm_seconds: z.number().describe('Seconds in which servers of a swarm worked.'),
}

/** Body of `GET /v1/usage`. */
export const usageReportSchema = z.object({
  object: z.literal('list'),
  from: day,
  to: day,
  data: z
    .array(
      z.object({
        object: z.literal('usage'),
        day: day.describe('In UTC.'),
        caller: z
          .string()
          .describe(
            '`key:` and the id of a key, `user:…`, `proxy:…`, or `anonymous` for all clients without a key.',
          ),
        model: z.string(),
        ...usedFields,
      }),
    )
    .describe('One element for each day, caller and model; the oldest day first.'),
  total: z.object(usedFields),
})

/** Query of `GET /v1/usage`. */
export const usageQuerySchema = z.object({
  from: day.optional(),
  to: day.optional(),
  caller: z.string().max(500).optional(),
})

export type UsageReport = Immutable<z.output<typeof usageReportSchema>>

export const usageOperation: Operation = openaiOperation({
  id: 'getUsage',
  method: 'get',
  path: '/v1/usage',
  scope: 'models',
  summary: 'What was used: requests, tokens, seconds of a swarm',
  description:
    'By day, caller and model. A caller sees its own use; one with the scope `admin` sees that of every caller.',
  parameters: [
    {
      name: 'from',
      in: 'query',
      schema: day.optional(),
      description: 'First day in UTC; default: 30 days before `to`.',
    },
    { name: 'to', in: 'query', schema: day.optional(), description: 'Last day in UTC; default: today.' },
    {
      name: 'caller',
      in: 'query',
      schema: z.string().optional(),
      description:
        'Only this caller. Default: the caller of the request; with the scope `admin`, every caller.',
    },
  ],
  responses: { 200: { description: 'What was used.', content: json(usageReportSchema) } },
  errorStatuses: [400, 403],
})
