import { getPath } from 'hono/utils/url'

/** Where a wrong number of slashes can only be meant in one way: base URLs of clients end with one, or don't. */
const API_PATH = /^\/+(v1|api)(?=\/|$)/

/**
 * The path that a request is routed by, policies included: without the prefix under which a proxy shows the server, and
 * with single slashes on the APIs. `%2F` stays what it is, a part of a name.
 */
export function routedPath(path: string, basePath: string): string {
  const own = withoutBase(path, basePath)
  if (!API_PATH.test(own)) return own
  const single = own.replace(/\/{2,}/g, '/')
  return single.endsWith('/') ? single.slice(0, -1) : single
}

/** The same for a request of the app. */
export const pathReader =
  (basePath: string) =>
  (request: Request): string =>
    routedPath(getPath(request), basePath)

/** With and without the prefix: some proxies cut it off, others leave it. */
function withoutBase(path: string, basePath: string): string {
  if (basePath === '/' || !path.startsWith(basePath)) return path
  const rest = path.slice(basePath.length)
  return rest.startsWith('/') ? rest : rest === '' ? '/' : path
}
