import { count, isRecord, records, text } from './read-json.ts'

/** The way that an answer took through a swarm (`petals.route` of the response). */
export interface RouteReport {
  readonly hops: readonly RouteHop[]
  readonly failovers: readonly Failover[]
  /** Outputs go from server to server instead of through the gateway. */
  readonly pushed: boolean
}

export interface SwarmPeer {
  /** Peer id, base58. */
  readonly peer: string
  readonly publicName: string | undefined
}

export interface RouteHop extends SwarmPeer {
  /** Blocks [start, end). */
  readonly start: number
  readonly end: number
  /** Median time of a decode step there; undefined before the first. */
  readonly stepMs: number | undefined
}

/** A server that was left in mid-answer, and what took its place. */
export interface Failover extends SwarmPeer {
  readonly start: number
  readonly end: number
  readonly reason: string
  readonly pauseMs: number
  readonly replacedBy: readonly SwarmPeer[]
}

/** What an answer waits for: no server answers for these blocks just now. */
export interface SwarmWait {
  /** Blocks [start, end). */
  readonly blocks: readonly { readonly start: number; readonly end: number }[]
  /** Milliseconds since 1970: when the wait began, and when the answer is given up unless a server comes. */
  readonly since: number
  readonly until: number
}

/** `petals.waiting` of an event: null when the answer goes on, undefined if the event says nothing of it. */
export function parseWaiting(petals: unknown): SwarmWait | null | undefined {
  const waiting = isRecord(petals) ? petals['waiting'] : undefined
  if (waiting === null) return null
  if (!isRecord(waiting)) return undefined
  const [since, until] = [count(waiting['since']), count(waiting['until'])]
  if (since === undefined || until === undefined) return undefined
  return { blocks: records(waiting['blocks']).map(parseSpan), since: since * 1000, until: until * 1000 }
}

/** Reads the extension defensively: a page must not break because a server tells more, or less. */
export function parseRoute(petals: unknown): RouteReport | undefined {
  const route = isRecord(petals) ? petals['route'] : undefined
  if (!isRecord(route)) return undefined
  const hops = records(route['hops']).map((hop) => ({
    ...parsePeer(hop),
    ...parseSpan(hop),
    stepMs: count(hop['step_ms']),
  }))
  if (hops.length === 0) return undefined
  return { hops, failovers: records(route['failovers']).map(parseFailover), pushed: route['pushed'] === true }
}

function parseFailover(raw: Record<string, unknown>): Failover {
  return {
    ...parsePeer(raw),
    ...parseSpan(raw),
    reason: text(raw['reason']) ?? '',
    pauseMs: count(raw['pause_ms']) ?? 0,
    replacedBy: records(raw['replaced_by']).map(parsePeer),
  }
}

function parsePeer(raw: Record<string, unknown>): SwarmPeer {
  return { peer: text(raw['peer']) ?? '', publicName: text(raw['public_name']) }
}

function parseSpan(raw: Record<string, unknown>): { readonly start: number; readonly end: number } {
  return { start: count(raw['start']) ?? 0, end: count(raw['end']) ?? 0 }
}
