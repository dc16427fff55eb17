import type {
  FailoverBody,
  FallbackBody,
  PetalsBody,
  QueueBody,
  RouteBody,
  RouteHopBody,
  SwarmServerBody,
  WaitingBody,
} from '@petals-chat/api'
import { count, isRecord, records, text, type Untrusted } from './read-json.ts'

/** Blocks [start, end). */
export interface BlockRange {
  readonly start: number
  readonly end: number
}

/** The route that an answer took through a swarm (`petals.route` of the response). */
export interface RouteReport {
  readonly hops: readonly RouteHop[]
  readonly failovers: readonly Failover[]
  /** Servers send their outputs to the next server instead of to the gateway. */
  readonly pushed: boolean
  /** Tokens that a step of the servers brought, on average; undefined if none were guessed in advance. */
  readonly tokensPerStep?: number | undefined
}

export type SwarmPeer = Pick<SwarmServerBody, 'peer' | 'publicName'>

export interface RouteHop extends SwarmPeer {
  /** Blocks [start, end). */
  readonly start: number
  readonly end: number
  /** Median time of a decode step on this server; undefined before the first step. */
  readonly stepMs: number | undefined
  /** Another server of the same blocks that can take over at once. */
  readonly standby?: SwarmPeer | undefined
}

/** A server that was replaced in the middle of an answer, and its replacements. */
export interface Failover extends SwarmPeer {
  readonly start: number
  readonly end: number
  readonly reason: string
  readonly pauseMs: number
  readonly replacedBy: readonly SwarmPeer[]
  /** The server computed something else than its blocks: the answer may be wrong from there on. A position in the session. */
  readonly wrongFrom?: number | undefined
  /** Its standby took over. */
  readonly byStandby?: boolean | undefined
  /** How the server computed and how its replacement does, where that differs. */
  readonly precision?: PrecisionChange | undefined
}

/** Names such as `F32` and `Q8_0`, and the tokens in the session when it happened. */
export interface PrecisionChange {
  readonly position: number
  readonly before: string
  readonly after: string
}

/** The blocks that an answer waits for: no server serves them at the moment. */
export interface SwarmWait {
  /** Blocks [start, end). */
  readonly blocks: readonly BlockRange[]
  /** Milliseconds since 1970: when the wait began, and when the answer fails unless a server appears. */
  readonly since: number
  readonly until: number
}

/** Another model has answered than the one that was asked for. */
export interface StandIn {
  /** Id of the model that wrote the answer. */
  readonly model: string
  /** Why the model that was asked for could not answer. */
  readonly reason: string
}

/** `petals.fallback` of an event that `model` wrote. */
export function parseStandIn(petals: unknown, model: unknown): StandIn | undefined {
  const { fallback }: Untrusted<PetalsBody> = isRecord(petals) ? petals : {}
  if (!isRecord(fallback) || typeof model !== 'string') return undefined
  const { reason }: Untrusted<FallbackBody> = fallback
  return { model, reason: text(reason) ?? '' }
}

/** The place in the queue that `petals.queue` of an event tells: null when the answer's turn has come. */
export function parsePlace(petals: unknown): number | null | undefined {
  const { queue }: Untrusted<PetalsBody> = isRecord(petals) ? petals : {}
  if (queue === null) return null
  const { place }: Untrusted<QueueBody> = isRecord(queue) ? queue : {}
  return count(place)
}

/** `petals.waiting` of an event: null when the answer continues, undefined if the event does not say. */
export function parseWaiting(petals: unknown): SwarmWait | null | undefined {
  const { waiting }: Untrusted<PetalsBody> = isRecord(petals) ? petals : {}
  if (waiting === null) return null
  if (!isRecord(waiting)) return undefined
  const body: Untrusted<WaitingBody> = waiting
  const [since, until] = [count(body.since), count(body.until)]
  if (since === undefined || until === undefined) return undefined
  return { blocks: records(body.blocks).map(parseSpan), since: since * 1000, until: until * 1000 }
}

/** Reads the extension defensively: a page must not break because a server reports more, or less. */
export function parseRoute(petals: unknown): RouteReport | undefined {
  const { route }: Untrusted<PetalsBody> = isRecord(petals) ? petals : {}
  if (!isRecord(route)) return undefined
  const body: Untrusted<RouteBody> = route
  const hops = records(body.hops).map(parseHop)
  if (hops.length === 0) return undefined
  return {
    hops,
    failovers: records(body.failovers).map(parseFailover),
    pushed: body.pushed === true,
    tokensPerStep: count(body.tokens_per_step),
  }
}

const parseHop = (hop: Untrusted<RouteHopBody>): RouteHop => ({
  ...parsePeer(hop),
  ...parseSpan(hop),
  stepMs: count(hop.step_ms),
  standby: isRecord(hop.standby) ? parsePeer(hop.standby) : undefined,
})

const parseFailover = (failover: Untrusted<FailoverBody>): Failover => ({
  ...parsePeer(failover),
  ...parseSpan(failover),
  reason: text(failover.reason) ?? '',
  pauseMs: count(failover.pause_ms) ?? 0,
  replacedBy: records(failover.replaced_by).map(parsePeer),
  wrongFrom: count(failover.wrong_from),
  byStandby: failover.by_standby === true ? true : undefined,
  precision: parsePrecision(failover),
})

function parsePrecision({ precision, position: at }: Untrusted<FailoverBody>): PrecisionChange | undefined {
  const change: Untrusted<NonNullable<FailoverBody['precision']>> = isRecord(precision) ? precision : {}
  const [before, after, position] = [text(change.before), text(change.after), count(at)]
  if (before === undefined || after === undefined || position === undefined) return undefined
  return { before, after, position }
}

const parsePeer = (raw: Untrusted<Pick<RouteHopBody, 'peer' | 'public_name'>>): SwarmPeer => ({
  peer: text(raw.peer) ?? '',
  publicName: text(raw.public_name),
})

const parseSpan = (raw: Untrusted<BlockRange>): BlockRange => ({
  start: count(raw.start) ?? 0,
  end: count(raw.end) ?? 0,
})
