import { operations, type Scope } from '@petals-chat/api'

/** Patterns that match whatever has no route of its own: the page and its files, and middleware. */
const FALLBACKS: ReadonlySet<string> = new Set(['/', '/*'])

/** Routes that are no operations of the API. */
const OTHERS: readonly (readonly [string, Scope | 'open'])[] = [
  ['/docs/', 'open'],
  ['/docs/style.css', 'open'],
]

const scopesByPattern: ReadonlyMap<string, Scope | 'open'> = new Map([
  ...operations.map(({ path, scope }) => [withoutNames(path), scope] as const),
  ...OTHERS,
])

/**
 * Returns what a caller of a route must be allowed to do. The pattern of the route decides, not the path of the request,
 * so that no spelling of a path leads to a handler past its scope. A route that is in no table is for administrators.
 * @param patterns the patterns of all handlers that the router found for the request.
 */
export function routeScope(patterns: readonly string[]): Scope | 'open' {
  return (
    patterns
      .filter(isOwn)
      .map(scopeOf)
      .find((scope) => scope !== 'open') ?? 'open'
  )
}

/** Reports whether something is served at the path of a request beside the page. `patterns`: as for `routeScope`. */
export const hasRoute = (patterns: readonly string[]): boolean => patterns.some(isOwn)

const isOwn = (pattern: string): boolean => !FALLBACKS.has(pattern)

const knownScopes = new Map<string, Scope | 'open'>()

/** The patterns are those of this program, so there are only so many. */
function scopeOf(pattern: string): Scope | 'open' {
  const known = knownScopes.get(pattern)
  if (known !== undefined) return known
  const scope = scopesByPattern.get(withoutNames(pattern)) ?? 'admin'
  knownScopes.set(pattern, scope)
  return scope
}

/** Hono writes `:answer` and `:id{.+}`, the operations write `{answer}`. */
function withoutNames(pattern: string): string {
  return pattern.replace(/:\w+(\{[^}]*\})?|\{\w+\}/g, '{}')
}
