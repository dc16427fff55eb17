import { openApiDocument, type OpenApiDocument } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../context.ts'
import { documentationPage } from './openapi/page.ts'
import { documentationStyle } from './openapi/style.ts'

/** `GET /openapi.json`: the API as a document for programs; `GET /docs`: the same as a page to read. */
export const openapiRoutes: RouteModule = ({ registry, version, config: { basePath } }) => {
  let made: OpenApiDocument | undefined
  // Made when the first reader asks: it would be a tenth of the time in which the server starts.
  const document = () => (made ??= openApiDocument(version, basePath))
  return (
    new Hono<{ Variables: GatewayVariables }>()
      .get('/openapi.json', (c) => c.json(document()))
      .get('/docs', (c) => {
        const origin = new URL(c.req.url).origin + (basePath === '/' ? '' : basePath)
        const page = { document: document(), origin, model: registry.list()[0]?.id ?? 'MODEL' }
        return c.html(documentationPage(page))
      })
      // Relative: a proxy may show this server below a path.
      .get('/docs/', (c) => c.redirect('../docs', 308))
      .get('/docs/style.css', (c) =>
        c.body(documentationStyle, 200, { 'content-type': 'text/css; charset=utf-8' }),
      )
  )
}
