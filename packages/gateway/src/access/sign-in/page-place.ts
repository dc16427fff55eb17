import type { Context } from 'hono'
import type { GatewayVariables } from '../../context.ts'
import type { PagePlace } from './cookies.ts'

type PageContext = Context<{ Variables: GatewayVariables }>

/** Where the redirect URI lies, from the address of the page. */
const CALLBACK = 'sign-in/callback'

/**
 * Returns where the browser that sent a request sees this server.
 * @param basePath the path under which a proxy publishes this server.
 */
export function pagePlace(c: PageContext, basePath: string): PagePlace {
  return { secure: schemeOf(c) === 'https', path: basePath }
}

/** Returns the redirect URI of a sign-in that this browser begins. The provider accepts only registered ones. */
export function redirectUriOf(c: PageContext, basePath: string): string {
  const host = c.req.header('host') ?? new URL(c.req.url).host
  return `${schemeOf(c)}://${host}${basePath === '/' ? '/' : `${basePath}/`}${CALLBACK}`
}

/** Browsers name their own scheme where they send Origin; elsewhere a trusted proxy that ends TLS says it. */
function schemeOf(c: PageContext): 'http' | 'https' {
  return c.var.client.secure || c.req.header('origin')?.startsWith('https://') === true ? 'https' : 'http'
}
