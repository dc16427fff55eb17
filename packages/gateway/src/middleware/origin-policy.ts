import type { Context, MiddlewareHandler } from 'hono'
import type { GatewayConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'

/** What a browser says about the page that makes a request. Other clients say nothing. */
export interface RequestOrigin {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly secFetchSite: string | undefined
  /** A proxy is in front of this server. */
  readonly isProxied: boolean
}

const API_PATH = /^\/(api|v1)(\/|$)/
const PROXY_HEADERS = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
  'via',
]
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
    if (!isOriginAllowed(config, c.req.path, request.origin)) throw crossOriginError(request)
    if (isPreflight(c)) return preflightResponse(c)
    await next()
    setCorsHeaders(c)
  }
}

export function originOf(header: (name: string) => string | undefined): RequestOrigin {
  return {
    host: header('host'),
    origin: header('origin'),
    secFetchSite: header('sec-fetch-site'),
    isProxied: PROXY_HEADERS.some((name) => header(name) !== undefined),
  }
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
export function isSameOrigin({ host, origin }: Pick<RequestOrigin, 'host' | 'origin'>): boolean {
  return origin !== undefined && isSameHost(origin, host)
}

export function isOriginAllowed(
  { cors }: Pick<GatewayConfig, 'cors'>,
  path: string,
  origin: string | undefined,
): boolean {
  const allowed = path.startsWith('/api/') ? [...cors.all, ...cors.legacy] : cors.all
  return allowed.some(
    (pattern) => pattern === '*' || (origin !== undefined && matchesOrigin(pattern, origin)),
  )
}

/** `*` stands for any part of the host, or for any port, the scheme's own included; never for anything beside them. */
function matchesOrigin(pattern: string, origin: string): boolean {
  if (!pattern.includes('*')) return pattern.toLowerCase() === origin.toLowerCase()
  const source = pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:\*$/, '(:\\d+)?')
    .replaceAll('*', '[^/:@?#]+')
  return new RegExp(`^${source}$`, 'i').test(origin)
}

export function crossOriginError(request: RequestOrigin): GatewayError {
  const { origin } = request
  const page = origin === undefined ? 'another site' : `'${origin.slice(0, 100)}'`
  return new GatewayError(
    'forbidden_origin',
    hasOtherHost(request)
      ? `The page is at ${page}, but the proxy in front of this server changed the Host header to ` +
          `'${request.host?.slice(0, 100)}'. Have it pass Host on (nginx: proxy_set_header Host $host; Apache: ` +
          'ProxyPreserveHost On) and start this server with --trusted-host and the name of the page.'
      : `Pages of ${page} may not use this server. To let them in, add the origin to server.cors.`,
  )
}

/**
 * The browser sees one server where this one sees two names: then a proxy changed Host. Browsers say `same-origin`
 * themselves; over plain http from another machine they say nothing, and only the proxy's own headers tell of it.
 */
function hasOtherHost({ origin, secFetchSite, isProxied }: RequestOrigin): boolean {
  if (origin === undefined || origin === 'null') return false
  return secFetchSite === 'same-origin' || (secFetchSite === undefined && isProxied)
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
