import { z } from 'zod'
import { errorSchema } from './error.ts'
import { json, type Operation, type OperationTag } from './operation.ts'

export const healthTag: OperationTag = {
  name: 'Operation',
  description: 'For the operator of this server: load balancers, monitoring, and this documentation.',
}

/** Body of the health checks while they succeed. */
export const healthSchema = z.object({
  status: z
    .enum(['ok', 'degraded'])
    .describe(
      'degraded: the server answers, but a step of the default model is overdue or its process is being replaced.',
    ),
  detail: z.string().optional().describe('Why the status is degraded.'),
  version: z.string(),
})

export type HealthBody = z.output<typeof healthSchema>

const check = (path: string, id: string, summary: string, errorStatuses: readonly number[]): Operation => ({
  id,
  method: 'get',
  path,
  tag: healthTag.name,
  scope: path === '/metrics' ? 'metrics' : 'open',
  summary,
  responses: { 200: { description: 'Yes.', content: json(healthSchema) } },
  error: errorSchema,
  errorStatuses,
})

const document = (path: string, id: string, summary: string, mediaType: string, text: string): Operation => ({
  id,
  method: 'get',
  path,
  tag: healthTag.name,
  scope: path === '/metrics' ? 'metrics' : 'open',
  summary,
  responses: { 200: { description: text, content: { [mediaType]: { text } } } },
  error: errorSchema,
  errorStatuses: [],
})

export const healthOperations: readonly Operation[] = [
  check('/healthz', 'live', 'Is the process alive?', []),
  check(
    '/health',
    'health',
    'Is the server ready for requests? Not while the default model loads or the server stops.',
    [503],
  ),
  check('/ready', 'ready', 'The same as /health', [503]),
  check('/readyz', 'readyz', 'The same as /health', [503]),
  document(
    '/metrics',
    'metrics',
    'Metrics for Prometheus',
    'text/plain',
    'Requests, tokens, times, queues, sessions.',
  ),
  document(
    '/openapi.json',
    'openapi',
    'This API as an OpenAPI document',
    'application/json',
    'An OpenAPI 3.1 document.',
  ),
  document('/docs', 'docs', 'This API as a page to read', 'text/html', 'A page.'),
]
