import { getPath } from 'hono/utils/url'

/**
 * Reports whether a routed path is one of the APIs, or one of the paths that llama-server and vLLM have beside theirs.
 * Everything else belongs to the page, or to the operator.
 */
export const isApiPath = (path: string): boolean =>
  /^\/(v1|api|tokenize|detokenize|tokenizer_info|props)(\/|$)/.test(path)

/** Reports whether a routed path is one of the original application's APIs, which have their own shape of errors. */
export const isLegacyPath = (path: string): boolean => /^\/api\/v[12](\/|$)/.test(path)

/** Reports whether a routed path belongs to Ollama's API, which has its own shape of errors. */
export const isOllamaPath = (path: string): boolean =>
  path.startsWith('/api/') && !isLegacyPath(path) && !/^\/api\/tools(\/|$)/.test(path)

/** Reports whether a client of Anthropic's API asks, which has its own shape of errors. `path`: as it is routed. */
export const isAnthropicRequest = (path: string, header: (name: string) => string | undefined): boolean =>
  /^\/v1\/messages(\/|$)/.test(path) ||
  (/^\/v1\/models(\/|$)/.test(path) && header('anthropic-version') !== undefined)

/** Paths of the operator, which health checks and scrapers are often given with a slash at the end. */
const OPERATOR_PATH = /^\/+(healthz|health|readyz|ready|metrics)\/*$/

/**
 * Returns the path that a request is routed by, and that all policies check: without the prefix under which a proxy
 * publishes the server. On the APIs and the operator's paths, extra slashes are removed, since base URLs of clients end with a
 * slash or without one. `%2F` stays, because it is a part of a name.
 */
export function routedPath(path: string, basePath: string): string {
  const own = withoutBase(path, basePath)
  if (!isApiPath(own.replace(/^\/+/, '/')) && !OPERATOR_PATH.test(own)) return own
  const single = own.replace(/\/{2,}/g, '/')
  return single.endsWith('/') ? single.slice(0, -1) : single
}

/** Returns `routedPath` as a function of a request, as Hono wants it. */
export const pathReader =
  (basePath: string) =>
  (request: Request): string =>
    routedPath(getPath(request), basePath)

/** Requests come with and without the prefix: some proxies remove it, others leave it. */
function withoutBase(path: string, basePath: string): string {
  if (basePath === '/' || !path.startsWith(basePath)) return path
  const rest = path.slice(basePath.length)
  return rest.startsWith('/') ? rest : rest === '' ? '/' : path
}
