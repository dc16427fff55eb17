import type { BlockRange } from '../swarm/block-ranges.ts'
import { apiErrorFromResponse, toApiError } from './errors.ts'
import { count, isRecord, number, records, text } from './read-json.ts'

/** One model of a swarm, as `GET /api/v1/swarm` describes it. */
export interface SwarmModel {
  readonly id: string
  readonly dhtPrefix: string
  /** Transformer blocks; 0 where it is not known yet. */
  readonly blocks: number
  /** For each block, the servers that are online and answer. */
  readonly replicas: readonly number[]
  readonly missingBlocks: readonly number[]
  /** False: no peer could be asked; nothing is known of blocks. */
  readonly reachable: boolean
  readonly servable: boolean
  readonly bottleneck: { readonly block: number; readonly throughput: number } | undefined
  readonly servers: readonly SwarmServer[]
  /** What another computer runs to hold blocks of the model: a command for each gap, or one without `blocks`. */
  readonly join: readonly SwarmJoin[]
  readonly ageMs: number | undefined
  /** Why there are no news, or no fresh ones. */
  readonly problem: string | undefined
  /** The last hour as the server saw it, oldest first; empty where it keeps none. */
  readonly history: readonly SwarmLook[]
}

export interface SwarmJoin {
  readonly blocks: BlockRange | undefined
  readonly command: string
}

/** One earlier look of the server at a model. */
export interface SwarmLook {
  /** Milliseconds ago. */
  readonly ageMs: number
  readonly servers: number
  readonly leastReplicas: number
}

export interface SwarmServer {
  readonly peer: string
  readonly publicName: string | undefined
  readonly state: 'offline' | 'joining' | 'online'
  readonly version: string | undefined
  /** Blocks [start, end). */
  readonly start: number
  readonly end: number
  /** Tokens a second, as the server measured itself. */
  readonly throughput: number
  readonly quantization: string | undefined
  readonly usesRelay: boolean
  readonly cacheTokensLeft: number | undefined
  /** Round trip from the gateway; null: it does not answer; undefined: not measured. */
  readonly rttMs: number | null | undefined
  readonly bannedForMs: number
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

/** Reads the list defensively: a field of the wrong type is as good as none. */
export function parseSwarm(body: unknown): readonly SwarmModel[] {
  return isRecord(body) ? records(body['models']).map(parseModel) : []
}

function parseModel(raw: Record<string, unknown>): SwarmModel {
  const { bottleneck } = raw
  return {
    id: text(raw['id']) ?? '',
    dhtPrefix: text(raw['dhtPrefix']) ?? '',
    blocks: count(raw['blocks']) ?? 0,
    replicas: counts(raw['replicas']),
    missingBlocks: counts(raw['missingBlocks']),
    reachable: raw['reachable'] !== false,
    servable: raw['servable'] === true,
    bottleneck: isRecord(bottleneck)
      ? { block: count(bottleneck['block']) ?? 0, throughput: count(bottleneck['throughput']) ?? 0 }
      : undefined,
    servers: records(raw['servers']).map(parseServer),
    join: records(raw['join']).flatMap(parseJoin),
    ageMs: count(raw['ageMs']),
    problem: text(raw['problem']),
    history: records(raw['history']).flatMap(parseLook),
  }
}

function parseJoin({ command, blocks }: Record<string, unknown>): SwarmJoin[] {
  if (typeof command !== 'string') return []
  const [start, end] = isRecord(blocks) ? [count(blocks['start']), count(blocks['end'])] : []
  return [{ command, blocks: start === undefined || end === undefined ? undefined : { start, end } }]
}

function parseLook(raw: Record<string, unknown>): SwarmLook[] {
  const [ageMs, servers, leastReplicas] = [
    count(raw['ageMs']),
    count(raw['servers']),
    count(raw['leastReplicas']),
  ]
  if (ageMs === undefined || servers === undefined || leastReplicas === undefined) return []
  return [{ ageMs, servers, leastReplicas }]
}

function parseServer(raw: Record<string, unknown>): SwarmServer {
  const { state, rttMs } = raw
  return {
    peer: text(raw['peer']) ?? '',
    publicName: text(raw['publicName']),
    state: state === 'online' || state === 'joining' ? state : 'offline',
    version: text(raw['version']),
    start: count(raw['start']) ?? 0,
    end: count(raw['end']) ?? 0,
    throughput: count(raw['throughput']) ?? 0,
    quantization: text(raw['quantization']),
    usesRelay: raw['usesRelay'] === true,
    cacheTokensLeft: number(raw['cacheTokensLeft']),
    rttMs: rttMs === null ? null : count(rttMs),
    bannedForMs: count(raw['bannedForMs']) ?? 0,
  }
}

function counts(value: unknown): readonly number[] {
  return Array.isArray(value) ? value.map((item) => count(item) ?? 0) : []
}
