import { z } from 'zod'
import { errorSchema } from './openai/error.ts'
import type { Operation, OperationTag } from './operation.ts'

export const healthTag: OperationTag = {
  name: 'Operation',
  description: 'For whoever runs this server: load balancers, monitoring, and this documentation.',
}

export const healthSchema = z.object({ status: z.literal('ok'), version: z.string() })

const readiness = (path: string, id: string, summary: string): Operation => ({
  id,
  method: 'get',
  path,
  tag: healthTag.name,
  summary,
  responses: { 200: { description: 'Yes.', content: { 'application/json': healthSchema } } },
  error: errorSchema,
  errorStatuses: path === '/healthz' ? [] : [503],
})

const text = (path: string, id: string, summary: string, mediaType: string, words: string): Operation => ({
  id,
  method: 'get',
  path,
  tag: healthTag.name,
  summary,
  responses: { 200: { description: words, content: { [mediaType]: { text: words } } } },
  error: errorSchema,
  errorStatuses: [],
})

export const healthOperations: readonly Operation[] = [
  readiness('/healthz', 'live', 'Does the process live?'),
  readiness(
    '/health',
    'health',
    'Is it worth sending requests? Not while the default model loads or the server stops.',
  ),
  readiness('/ready', 'ready', 'The same as /health'),
  readiness('/readyz', 'readyz', 'The same as /health'),
  text(
    '/metrics',
    'metrics',
    'Figures for Prometheus',
    'text/plain',
    'Requests, tokens, times, queues, sessions.',
  ),
  text('/openapi.json', 'openapi', 'This API as an OpenAPI document', 'application/json', 'OpenAPI 3.1.'),
  text('/docs', 'docs', 'The same, to read', 'text/html', 'A page.'),
]
