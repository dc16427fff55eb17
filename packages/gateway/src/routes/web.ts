import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { serveStatic } from '@hono/node-server/serve-static'
import { type Context, Hono } from 'hono'
import type { GatewayApp, GatewayVariables } from '../context.ts'

/** Vite puts a hash of the content into the names of these files. */
const HASHED_PATH = /^\/assets\//
const ONE_YEAR_SECONDS = 31_536_000

/** The chat page and its files from `webRoot`, the folder of the web build. */
export function webRoutes(webRoot: string | undefined): GatewayApp {
  const app = new Hono<{ Variables: GatewayVariables }>()
  if (webRoot === undefined || !existsSync(join(webRoot, 'index.html'))) return app.get('/', missingBuildPage)
  const files = serveStatic({ root: webRoot, precompressed: true })
  app.use('*', async (c, next) => {
    const response = await files(c, noFile)
    if (response === undefined) return next()
    response.headers.set('cache-control', cachingOf(c.req.path))
    return response
  })
  return app
}

async function noFile(): Promise<void> {}

function cachingOf(path: string): string {
  return HASHED_PATH.test(path) ? `public, max-age=${ONE_YEAR_SECONDS}, immutable` : 'no-cache'
}

function missingBuildPage(c: Context): Response {
  return c.html(
    `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Petals Chat: the page is not built</title>
<h1>The chat page has not been built</h1>
<p>The APIs of this server work. To get the page as well, run <code>npm run build:web</code> and start the server again.</p>
</html>
`,
    503,
  )
}
