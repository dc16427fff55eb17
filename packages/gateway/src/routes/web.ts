import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { getPath } from 'hono/utils/url'
import type { GatewayApp, GatewayVariables } from '../context.ts'
import { acceptedCoding } from '../server/accepted-coding.ts'
import { readStaticFiles, type StaticFile } from '../server/static-files.ts'

/** Vite adds a hash of the content to the names of these files. */
const HASHED_PATH = /^\/assets\//
const ONE_YEAR_SECONDS = 31_536_000

/**
 * The chat page and its files from `webRoot`, the folder of the web build, as it is when the routes are made.
 * @param basePath the path under which a proxy publishes this server.
 */
export function webRoutes(webRoot: string | undefined, basePath: string): GatewayApp {
  const app = new Hono<{ Variables: GatewayVariables }>()
  app.use('/', redirectToFolder(basePath))
  if (webRoot === undefined || !existsSync(join(webRoot, 'index.html'))) return app.get('/', missingBuildPage)
  const files = readStaticFiles(webRoot)
  // Not `get`: then every unknown path would be refused with 405 for other methods.
  app.use('*', async (c, next) => {
    const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
    const file = isRead ? files.get(c.req.path === '/' ? '/index.html' : c.req.path) : undefined
    return file ? sendFile(c, file) : next()
  })
  return app
}

/**
 * Redirects `/chat` to `/chat/` where a proxy publishes the server at `/chat`: the page's relative addresses need that
 * final slash.
 */
function redirectToFolder(basePath: string): MiddlewareHandler {
  return async (c, next) => {
    if (basePath === '/' || c.req.method !== 'GET' || getPath(c.req.raw) !== basePath) return next()
    return c.redirect(`${basePath}/${new URL(c.req.url).search}`, 308)
  }
}

/** Sends a file in the coding that the client prefers, and without a body if the client already has it. */
function sendFile(c: Context, { type, representations }: StaticFile): Response {
  const coding = acceptedCoding(c.req.header('accept-encoding'), new Set(representations.keys()))
  const { bytes, etag } = representations.get(coding)!
  c.header('etag', etag)
  c.header('cache-control', cachingOf(c.req.path))
  if (representations.size > 1) c.header('vary', 'accept-encoding', { append: true })
  if (hasCurrent(c.req.header('if-none-match'), etag)) return c.body(null, 304)
  if (coding !== 'identity') c.header('content-encoding', coding)
  c.header('content-type', type)
  c.header('content-length', `${bytes.length}`)
  return c.body(bytes)
}

function hasCurrent(ifNoneMatch: string | undefined, etag: string): boolean {
  const known = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return known !== undefined && (known.includes(etag) || known.includes('*'))
}

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
