import { peerIdFromText, type PeerId } from '../p2p/peer-id.ts'
import type { MsgpackValue } from '../wire/msgpack-values.ts'
import type { BlockRange } from './block-range.ts'

export type ServerState = 'offline' | 'joining' | 'online'

/** What a server announces in the DHT (`ServerInfo` in `petals/data_structures.py`). These are claims, not facts. */
export interface ServerInfo {
  readonly state: ServerState
  /** Tokens per second, which the server measured to choose its blocks. */
  readonly throughput: number
  /** The whole span that the server holds; servers before 2.2.0.post1 do not announce it. */
  readonly blocks?: BlockRange | undefined
  readonly publicName?: string | undefined
  readonly version?: string | undefined
  /** Tokens per second through the network, through one block in batches, and through one block one at a time. */
  readonly networkRps?: number | undefined
  readonly forwardRps?: number | undefined
  readonly inferenceRps?: number | undefined
  /** LoRA adapters that are loaded. */
  readonly adapters: readonly string[]
  readonly torchDtype?: string | undefined
  readonly quantType?: string | undefined
  readonly usingRelay?: boolean | undefined
  /** Free KV cache in vectors: a session of L tokens over B blocks takes 2·L·B, a key and a value for each. */
  readonly cacheTokensLeft?: number | undefined
  /** Round trips in seconds to servers of the following blocks; Infinity for servers that can't be reached. */
  readonly nextPings?: ReadonlyMap<PeerId, number> | undefined
}

const states: readonly ServerState[] = ['offline', 'joining', 'online']

/** Far above what any hardware does. A higher claim is an attempt to attract traffic. */
const maxRps = 1e6
const maxTextLength = 120
const maxAdapters = 256
const maxNextPings = 256

/**
 * Parses the tuple (state, throughput, extra). Unknown fields are ignored, and fields of a wrong type count as missing.
 * Returns undefined if the state, the throughput or the blocks are invalid.
 */
export function parseServerInfo(value: MsgpackValue): ServerInfo | undefined {
  if (!Array.isArray(value)) return undefined
  const [stateNumber, throughput, extra] = value as readonly MsgpackValue[]
  const state = typeof stateNumber === 'number' ? states[stateNumber] : undefined
  if (!state || !isRate(throughput)) return undefined
  const fields: Fields = extra instanceof Map ? extra : new Map()
  const blocks = parseBlocks(fields)
  if (blocks === 'invalid') return undefined
  return { state, throughput, blocks, ...parseExtra(fields) }
}

type Fields = ReadonlyMap<MsgpackValue, MsgpackValue>

function parseExtra(fields: Fields): Omit<ServerInfo, 'state' | 'throughput' | 'blocks'> {
  const usingRelay = fields.get('using_relay')
  return {
    publicName: text(fields, 'public_name'),
    version: text(fields, 'version'),
    networkRps: rate(fields, 'network_rps'),
    forwardRps: rate(fields, 'forward_rps'),
    inferenceRps: rate(fields, 'inference_rps'),
    adapters: parseAdapters(fields.get('adapters')),
    torchDtype: text(fields, 'torch_dtype'),
    quantType: text(fields, 'quant_type'),
    usingRelay: typeof usingRelay === 'boolean' ? usingRelay : undefined,
    cacheTokensLeft: count(fields, 'cache_tokens_left'),
    nextPings: parseNextPings(fields.get('next_pings')),
  }
}

function parseBlocks(fields: Fields): BlockRange | undefined | 'invalid' {
  const [start, end] = [fields.get('start_block') ?? null, fields.get('end_block') ?? null]
  if (start === null || end === null) return undefined
  if (!isCount(start) || !isCount(end) || start >= end) return 'invalid'
  return { start, end }
}

function parseAdapters(value: MsgpackValue | undefined): readonly string[] {
  if (!Array.isArray(value)) return []
  return value.filter((name) => typeof name === 'string').slice(0, maxAdapters)
}

function parseNextPings(value: MsgpackValue | undefined): ReadonlyMap<PeerId, number> | undefined {
  if (!(value instanceof Map)) return undefined
  const pings = new Map<PeerId, number>()
  for (const [key, seconds] of (value as Fields).entries()) {
    const peer = typeof key === 'string' ? peerIdFromText(key) : undefined
    if (peer && typeof seconds === 'number' && seconds >= 0) pings.set(peer, seconds)
    if (pings.size === maxNextPings) break
  }
  return pings
}

const isRate = (value: MsgpackValue | undefined): value is number =>
  typeof value === 'number' && value >= 0 && value <= maxRps

const isCount = (value: MsgpackValue | undefined): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0

function rate(fields: Fields, name: string): number | undefined {
  const value = fields.get(name)
  return isRate(value) && value > 0 ? value : undefined
}

function count(fields: Fields, name: string): number | undefined {
  const value = fields.get(name)
  return isCount(value) ? value : undefined
}

/** Text that a person will see: control characters are removed and long text is truncated. */
function text(fields: Fields, name: string): string | undefined {
  const value = fields.get(name)
  if (typeof value !== 'string' || value === '') return undefined
  return value.replaceAll(/\p{C}/gu, '').slice(0, maxTextLength)
}
