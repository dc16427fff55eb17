import { ollamaManageRequestSchema, type OllamaStatus } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { modelsFor } from '../../generation/request/resolve-model.ts'
import { meantModel } from './model-name.ts'

/** The calls that change which models Ollama has. Here the configuration says it; `pull` succeeds for a model that is there. */
export const ollamaManagedRoutes: RouteModule = ({ registry }) =>
  new Hono<{ Variables: GatewayVariables }>()
    .post('/api/pull', async (c) => {
      const request = await parseRequest(c.req, ollamaManageRequestSchema)
      const name = meantModel(registry, c.var.caller, request)
      if (name === undefined || modelsFor(registry, c.var.caller).find(name) === undefined)
        throw fromConfiguration('downloaded')
      const done = { status: 'success' } satisfies OllamaStatus
      if (request.stream === false) return c.json(done)
      return c.body(`${JSON.stringify(done)}\n`, 200, { 'content-type': 'application/x-ndjson' })
    })
    .post('/api/push', () => refuse('published'))
    .post('/api/create', () => refuse('made'))
    .post('/api/copy', () => refuse('copied'))
    .delete('/api/delete', () => refuse('deleted'))

function refuse(done: string): never {
  throw fromConfiguration(done)
}

const fromConfiguration = (done: string): InvalidRequestError =>
  new InvalidRequestError(
    `Models of this server come from its configuration (models: in petals-chat.yaml); they are not ${done} by requests. ` +
      'GET /api/tags lists them.',
    { param: 'model', reason: 'unsupported_value' },
  )
