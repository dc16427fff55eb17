import type { Context, MiddlewareHandler } from 'hono'
import type { GatewayConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { rateLimitHeaderNames } from '../limits/rate-limit-headers.ts'
import { isCrossOrigin, originOf, type RequestOrigin } from '../request-origin.ts'
import { isApiPath, isLegacyPath } from '../request-path.ts'

type OriginConfig = Pick<GatewayConfig, 'cors'>

const PREFLIGHT_MAX_AGE_SECONDS = 7200
const EXPOSED_HEADERS = [
  'x-request-id',
  'x-answer-id',
  'retry-after',
  'retry-after-ms',
  ...rateLimitHeaderNames,
].join(', ')

/**
 * Lets pages of other origins use the APIs only where `server.cors` allows it. Other requests of such pages are refused
 * before they have an effect: browsers send form posts and image requests without CORS permission, and those would keep
 * the models busy.
 */
export function originPolicy(config: GatewayConfig): MiddlewareHandler {
  return async (c, next) => {
    const request = originOf((name) => c.req.header(name))
    if (!isApiPath(c.req.path) || !isCrossOrigin(request)) return next()
    assertOriginAllowed(config, c.req.path, request)
    if (isPreflight(c)) return preflightResponse(c)
    await next()
    setCorsHeaders(c)
  }
}

/** @throws GatewayError `forbidden_origin` if a page of another origin sent the request, and may not use the API. */
export function assertOriginAllowed(config: OriginConfig, path: string, request: RequestOrigin): void {
  if (isCrossOrigin(request) && !isOriginAllowed(config, path, pageOf(request)))
    throw crossOriginError(request)
}

/** The origin of the page, as far as the browser tells it. */
const pageOf = ({ origin, referer }: RequestOrigin): string | undefined =>
  origin ?? (referer !== undefined && URL.canParse(referer) ? new URL(referer).origin : undefined)

function isOriginAllowed({ cors }: OriginConfig, path: string, origin: string | undefined): boolean {
  const allowed = isLegacyPath(path) ? [...cors.all, ...cors.legacy] : cors.all
  return allowed.some(
    (pattern) => pattern === '*' || (origin !== undefined && matchesOrigin(pattern, origin)),
  )
}

/** `*` matches any part of the host, or any port (the scheme's default included), and nothing else. */
function matchesOrigin(pattern: string, origin: string): boolean {
  if (!pattern.includes('*')) return pattern.toLowerCase() === origin.toLowerCase()
  const source = pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:\*$/, '(:\\d+)?')
    .replaceAll('*', '[^/:@?#]+')
  return new RegExp(`^${source}$`, 'i').test(origin)
}

function crossOriginError(request: RequestOrigin): GatewayError {
  const origin = pageOf(request)
  const page = origin === undefined ? 'another site' : `'${origin.slice(0, 100)}'`
  return new GatewayError(
    'forbidden_origin',
    hasOtherHost(request)
      ? `The page is at ${page}, but the proxy in front of this server changed the Host header to ` +
          `'${request.host?.slice(0, 100)}'. Configure it to forward Host (nginx: proxy_set_header Host $host; Apache: ` +
          'ProxyPreserveHost On) and start this server with --trusted-host and the name of the page.'
      : `Pages of ${page} may not use this server. To allow them, add the origin to server.cors.`,
  )
}

/**
 * Reports whether a proxy changed Host: the browser then knows this server by another name. Browsers send `same-origin`
 * themselves; over plain http from another machine they send nothing, and only the proxy's own headers show it.
 */
function hasOtherHost({ origin, secFetchSite, isProxied }: RequestOrigin): boolean {
  if (origin === undefined || origin === 'null') return false
  return secFetchSite === 'same-origin' || (secFetchSite === undefined && isProxied)
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
  c.header('access-control-allow-origin', c.req.header('origin') || '*')
  c.header('access-control-expose-headers', EXPOSED_HEADERS)
  c.header('vary', 'origin', { append: true })
}
