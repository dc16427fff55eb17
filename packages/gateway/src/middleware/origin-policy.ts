import type { Context, MiddlewareHandler } from 'hono'
import type { GatewayConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'

/** What a browser says about the page that makes a request. Other clients say nothing. */
export interface RequestOrigin {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly secFetchSite: string | undefined
}

const API_PATH = /^\/(api|v1)(\/|$)/
const PREFLIGHT_MAX_AGE_SECONDS = 7200
const EXPOSED_HEADERS = 'x-request-id, x-answer-id, retry-after, retry-after-ms'

/**
 * Lets pages of other origins use the APIs only where `server.cors` says so. Without that, their requests have no
 * effect at all: a form post or an image needs no permission of CORS to be sent, and would keep the models busy.
 */
export function originPolicy(config: GatewayConfig): MiddlewareHandler {
  return async (c, next) => {
    const request = originOf((name) => c.req.header(name))
    const isApi = API_PATH.test(c.req.path)
    if (!isApi || !isCrossOrigin(request)) return next()
    if (!isOriginAllowed(config, c.req.path, request.origin)) throw crossOriginError(request.origin)
    if (isPreflight(c)) return preflightResponse(c)
    await next()
    setCorsHeaders(c)
  }
}

export function originOf(header: (name: string) => string | undefined): RequestOrigin {
  return { host: header('host'), origin: header('origin'), secFetchSite: header('sec-fetch-site') }
}

/**
 * Whether a page of another origin asks. Only hosts are compared: behind a proxy that ends TLS the page's scheme is
 * another one than ours. Browsers send no Origin with images, links and GET forms, but they do send Sec-Fetch-Site.
 */
export function isCrossOrigin({ host, origin, secFetchSite }: RequestOrigin): boolean {
  if (origin !== undefined) return !isSameHost(origin, host)
  return secFetchSite === 'cross-site' || secFetchSite === 'same-site'
}

/** Whether a page of this very server asks; false for clients that are no browsers. */
export function isSameOrigin({ host, origin }: RequestOrigin): boolean {
  return origin !== undefined && isSameHost(origin, host)
}

export function isOriginAllowed(
  { cors }: Pick<GatewayConfig, 'cors'>,
  path: string,
  origin: string | undefined,
): boolean {
  const allowed = path.startsWith('/api/') ? [...cors.all, ...cors.legacy] : cors.all
  return allowed.includes('*') || (origin !== undefined && allowed.includes(origin))
}

export function crossOriginError(origin: string | undefined): GatewayError {
  const page = origin === undefined ? 'another site' : `'${origin.slice(0, 100)}'`
  return new GatewayError(
    'forbidden_origin',
    `Pages of ${page} may not use this server. To let them in, add the origin to server.cors.`,
  )
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()
}

function isPreflight(c: Context): boolean {
  return c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined
}

function preflightResponse(c: Context): Response {
  c.header('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
  c.header('access-control-allow-headers', c.req.header('access-control-request-headers') ?? '*')
  c.header('access-control-max-age', String(PREFLIGHT_MAX_AGE_SECONDS))
  // Chrome asks this before a public page may reach a private network.
  if (c.req.header('access-control-request-private-network') === 'true') {
    c.header('access-control-allow-private-network', 'true')
  }
  setCorsHeaders(c)
  return c.body(null, 204)
}

function setCorsHeaders(c: Context): void {
  c.header('access-control-allow-origin', c.req.header('origin') ?? '*')
  c.header('access-control-expose-headers', EXPOSED_HEADERS)
  c.header('vary', 'origin', { append: true })
}
