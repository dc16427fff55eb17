import {
  decodeMsgpack,
  parsePeerId,
  ServedError,
  type MsgpackValue,
  type PeerId,
} from '@petals-chat/petals/protocol'

/** The metadata of a request, by name. */
export type Metadata = ReadonlyMap<MsgpackValue, MsgpackValue>

/** A server that outputs are pushed to (`next_servers`). */
export interface NextServer {
  readonly peer: PeerId
  readonly sessionId: string
  readonly start: number
  readonly end: number
}

/** What the first request of a session asks for. */
export interface SessionTerms {
  readonly maxLength: number
  readonly sessionId: string | undefined
  /** How long it waits for room in the KV cache. */
  readonly allocTimeoutMs: number
}

/** `max_alloc_timeout` of Petals. */
const maxAllocTimeoutSeconds = 600
const maxTextLength = 256
/** Blocks of a model, and servers of a chain, at most. */
const maxBlocks = 1024
const maxNextServers = 128

/** A chain of 128 servers takes 13 KiB. A session keeps the metadata of its first request. */
const maxMetadataBytes = 64 * 1024

/** The result does not hold the bytes, which are a part of the whole request. @throws ServedError, ProtocolError */
export function readMetadata(part: Uint8Array): Metadata {
  if (part.byteLength > maxMetadataBytes)
    throw new ServedError('ValueError', `The metadata of a request has more than ${maxMetadataBytes} bytes.`)
  const bytes = Uint8Array.from(part)
  const value = bytes.byteLength > 0 ? decodeMsgpack(bytes) : new Map<MsgpackValue, MsgpackValue>()
  if (value instanceof Map) return value
  throw new ServedError('ValueError', 'The metadata of a request must be a map.')
}

/**
 * Reads the terms of a session, in the order and with the errors of `petals/server/handler.py`. @throws ServedError
 */
export function readTerms(metadata: Metadata, longest: number): SessionTerms {
  const maxLength = metadata.get('max_length')
  const sessionId = metadata.get('session_id') ?? undefined
  const allocTimeout = metadata.get('alloc_timeout') ?? 0
  if (typeof maxLength !== 'number' || !Number.isInteger(maxLength))
    throw assertion(`rpc_inference metadata must contain int max_length, got ${shown(maxLength)}`)
  checkPoints(metadata, 'rpc_inference')
  if (maxLength < 0 || maxLength > longest)
    throw new ServedError('ValueError', `Cannot allocate KV cache for ${maxLength} tokens, max = ${longest}`)
  if (sessionId !== undefined && !isShortText(sessionId))
    throw new ServedError('ValueError', `session_id must be a text of at most ${maxTextLength} characters`)
  if (typeof allocTimeout !== 'number' || !(allocTimeout >= 0))
    throw new ServedError('ValueError', `could not convert alloc_timeout to float: ${shown(allocTimeout)}`)
  return { maxLength, sessionId, allocTimeoutMs: Math.min(allocTimeout, maxAllocTimeoutSeconds) * 1000 }
}

/** @throws ServedError unless the points of a request are a number, or left out */
export function checkPoints(metadata: Metadata, method: string): void {
  if (!metadata.has('points') || typeof metadata.get('points') === 'number') return
  const got = shown(metadata.get('points'))
  throw assertion(`${method} should have number of points as a number or None, got ${got}`)
}

/** @throws ServedError if the request asks for an adapter: this server has none loaded */
export function checkAdapter(metadata: Metadata, adapters: readonly string[]): void {
  const adapter = metadata.get('active_adapter')
  if (adapter === undefined || adapter === null || adapter === '') return
  if (typeof adapter === 'string' && adapters.includes(adapter)) return
  throw new ServedError('KeyError', `adapter ${shown(adapter)} not found`)
}

/** Returns where a step begins: at `position` unless the client rewinds. @throws ServedError */
export function readPosition(metadata: Metadata, position: number): number {
  if (!metadata.has('start_from_position')) return position
  const start = metadata.get('start_from_position')
  if (typeof start === 'number' && Number.isInteger(start) && start >= 0 && start <= position) return start
  throw assertion(`prefix_length=${position}, start_from_position=${shown(start)}`)
}

/** Returns the id of a step, by which a step that arrives twice is recognized; undefined if it has none. @throws ServedError */
export function readStepId(metadata: Metadata): string | undefined {
  const id = metadata.get('step_id') ?? undefined
  if (id === undefined) return undefined
  if (typeof id === 'number' || isShortText(id)) return `${typeof id}:${id}`
  throw new ServedError('ValueError', `step_id must be a text of at most ${maxTextLength} characters`)
}

/** Returns the rest of the chain; empty if the client does not ask for a push, or names something that is no server. */
export function readNextServers(metadata: Metadata): readonly NextServer[] {
  const list = metadata.get('next_servers')
  if (!Array.isArray(list) || list.length > maxNextServers) return []
  const servers = (list as readonly MsgpackValue[]).map(readNextServer)
  return servers.every((server) => server !== undefined) ? servers : []
}

function readNextServer(value: MsgpackValue): NextServer | undefined {
  if (!Array.isArray(value)) return undefined
  const [peer, sessionId, start, end] = value as readonly MsgpackValue[]
  if (!isShortText(peer) || !isShortText(sessionId) || !isBlock(start) || !isBlock(end)) return undefined
  try {
    return start < end ? { peer: parsePeerId(peer), sessionId, start, end } : undefined
  } catch {
    return undefined
  }
}

const isBlock = (value: MsgpackValue | undefined): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= maxBlocks

const isShortText = (value: MsgpackValue | undefined): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= maxTextLength

const assertion = (message: string): ServedError => new ServedError('AssertionError', message)

/** A value of a client within an error text. */
export function shown(value: MsgpackValue | undefined): string {
  if (value === undefined || value === null) return 'None'
  const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  return isPlain ? String(value).slice(0, maxTextLength) : `a ${Array.isArray(value) ? 'list' : 'value'}`
}
