import type {
  SwarmJoinBody,
  SwarmModelBody,
  SwarmSampleBody,
  SwarmServerBody,
  SwarmStatusBody,
} from '@petals-chat/api'
import { apiErrorFromResponse, toApiError } from './errors.ts'
import { count, isRecord, number, records, text, type Untrusted } from './read-json.ts'

/** The fields of a swarm server that the page shows. */
export type SwarmServer = Pick<
  SwarmServerBody,
  | 'peer'
  | 'publicName'
  | 'state'
  | 'version'
  | 'start'
  | 'end'
  | 'throughput'
  | 'precision'
  | 'usesRelay'
  | 'cacheTokensLeft'
  | 'rttMs'
  | 'bannedForMs'
> & {
  /** What spot checks have found against the server. */
  readonly verdict: 'wrong' | 'disputed' | undefined
}

/** The fields of a swarm model that the page shows; those that may be missing from the body have a value here. */
export interface SwarmModel extends Pick<
  SwarmModelBody,
  | 'id'
  | 'dhtPrefix'
  | 'blocks'
  | 'replicas'
  | 'missingBlocks'
  | 'reachable'
  | 'servable'
  | 'ageMs'
  | 'problem'
> {
  readonly bottleneck?: Omit<NonNullable<SwarmModelBody['bottleneck']>, 'replicas'> | undefined
  readonly servers: readonly SwarmServer[]
  readonly join: readonly SwarmJoinBody[]
  readonly history: readonly SwarmSampleBody[]
}

/** @throws ApiError */
export async function fetchSwarm({
  signal,
}: {
  readonly signal?: AbortSignal
}): Promise<readonly SwarmModel[]> {
  const response = await fetch('api/v1/swarm', { signal: signal ?? null }).catch((cause: unknown) => {
    throw toApiError(cause)
  })
  if (!response.ok) throw await apiErrorFromResponse(response)
  return parseSwarm(await response.json().catch(() => undefined))
}

/** Reads the list defensively: a field of the wrong type counts as missing. */
export function parseSwarm(body: unknown): readonly SwarmModel[] {
  const { models }: Untrusted<SwarmStatusBody> = isRecord(body) ? body : {}
  return records(models).map(parseModel)
}

function parseModel(raw: Untrusted<SwarmModelBody>): SwarmModel {
  return {
    id: text(raw.id) ?? '',
    dhtPrefix: text(raw.dhtPrefix) ?? '',
    blocks: count(raw.blocks) ?? 0,
    replicas: counts(raw.replicas),
    missingBlocks: counts(raw.missingBlocks),
    reachable: raw.reachable !== false,
    servable: raw.servable === true,
    bottleneck: isRecord(raw.bottleneck) ? parseBottleneck(raw.bottleneck) : undefined,
    servers: records(raw.servers).map(parseServer),
    join: records(raw.join).flatMap(parseJoin),
    ageMs: count(raw.ageMs),
    problem: text(raw.problem),
    history: records(raw.history).flatMap(parseSample),
  }
}

const parseBottleneck = (raw: Untrusted<NonNullable<SwarmModelBody['bottleneck']>>) => ({
  block: count(raw.block) ?? 0,
  throughput: count(raw.throughput) ?? 0,
})

function parseJoin({ command, blocks }: Untrusted<SwarmJoinBody>): SwarmJoinBody[] {
  if (typeof command !== 'string') return []
  const range: Untrusted<NonNullable<SwarmJoinBody['blocks']>> = isRecord(blocks) ? blocks : {}
  const [start, end] = [count(range.start), count(range.end)]
  return [{ command, blocks: start === undefined || end === undefined ? undefined : { start, end } }]
}

function parseSample(raw: Untrusted<SwarmSampleBody>): SwarmSampleBody[] {
  const [ageMs, servers, leastReplicas] = [count(raw.ageMs), count(raw.servers), count(raw.leastReplicas)]
  if (ageMs === undefined || servers === undefined || leastReplicas === undefined) return []
  return [{ ageMs, servers, leastReplicas }]
}

function parseVerdict(raw: unknown): SwarmServer['verdict'] {
  const { kind }: Untrusted<NonNullable<SwarmServerBody['verdict']>> = isRecord(raw) ? raw : {}
  return kind === 'wrong' || kind === 'disputed' ? kind : undefined
}

function parseServer(raw: Untrusted<SwarmServerBody>): SwarmServer {
  const { state, rttMs } = raw
  return {
    peer: text(raw.peer) ?? '',
    publicName: text(raw.publicName),
    verdict: parseVerdict(raw.verdict),
    state: state === 'online' || state === 'joining' ? state : 'offline',
    version: text(raw.version),
    start: count(raw.start) ?? 0,
    end: count(raw.end) ?? 0,
    throughput: count(raw.throughput) ?? 0,
    precision: text(raw.precision),
    usesRelay: raw.usesRelay === true,
    cacheTokensLeft: number(raw.cacheTokensLeft),
    rttMs: rttMs === null ? null : count(rttMs),
    bannedForMs: count(raw.bannedForMs) ?? 0,
  }
}

function counts(value: unknown): readonly number[] {
  return Array.isArray(value) ? value.map((item) => count(item) ?? 0) : []
}
