import { operations } from '@petals-chat/api'

/** A request to one of these routes counts: those that say they may answer 429. */
const limited: ReadonlySet<string> = new Set(
  operations
    .filter(({ errorStatuses, messages }) => errorStatuses.includes(429) && messages === undefined)
    .map(({ path }) => path),
)

/**
 * Reports whether a request counts. On a WebSocket each `generate` message counts instead.
 * @param patterns - the patterns of the routes that the router found; none of the limited ones has a parameter
 */
export const isLimitedRoute = (patterns: readonly string[]): boolean =>
  patterns.some((pattern) => limited.has(pattern))
