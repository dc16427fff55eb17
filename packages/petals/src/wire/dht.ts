/** Messages of hivemind's DHT (`hivemind/proto/dht.proto`). */
import { ProtocolError } from '../errors.ts'
import { ProtobufReader, ProtobufWriter, pushBounded } from './protobuf.ts'

/** Kinds of FindResult. */
export const findResultTypes = { notFound: 0, regular: 1, dictionary: 2 } as const

export interface FindResult {
  readonly type: number
  readonly value: Uint8Array
  /** Unix seconds. */
  readonly expirationTime: number
  /** Aligned with `nearestPeerIds`: 20-byte DHT ids and the libp2p peer ids (raw multihashes) of the same nodes. */
  readonly nearestNodeIds: readonly Uint8Array[]
  readonly nearestPeerIds: readonly Uint8Array[]
}

export interface FindResponse {
  readonly results: readonly FindResult[]
  /** DHT id of the answering node; undefined if the answer has none. */
  readonly nodeId: Uint8Array | undefined
}

export interface PingResponse {
  readonly nodeId: Uint8Array | undefined
  /** The peer's clock, Unix seconds. */
  readonly dhtTime: number
  /** Whether the peer could reach the caller, if the caller asked that. */
  readonly available?: boolean | undefined
}

export interface PingRequest {
  /** DHT id of the caller; undefined for a client. `ReachabilityProtocol.rpc_check` has the id of a libp2p peer here. */
  readonly nodeId: Uint8Array | undefined
  /** The callee shall call back. */
  readonly validate: boolean
}

export interface FindRequest {
  readonly keys: readonly Uint8Array[]
  readonly nodeId: Uint8Array | undefined
}

/** A record that a node is asked to keep. */
export interface StoredItem {
  readonly key: Uint8Array
  /** msgpack of the subkey; of nil for a value without one; no bytes for a whole dictionary. */
  readonly subkey: Uint8Array
  readonly value: Uint8Array
  /** Unix seconds. */
  readonly expirationTime: number
  /** May be given up early. */
  readonly inCache: boolean
}

export interface StoreRequest {
  readonly items: readonly StoredItem[]
  readonly nodeId: Uint8Array | undefined
}

export interface StoreResponse {
  /** One for each item. */
  readonly stored: readonly boolean[]
  readonly nodeId: Uint8Array | undefined
}

/** More keys than a model has blocks, and more neighbours than hivemind ever sends (20). */
const maxResults = 4096
const maxNeighbours = 256

/** The NodeInfo of a client is empty, so that no node adds it to its routing table. */
const nodeInfo = (nodeId: Uint8Array | undefined): ProtobufWriter =>
  new ProtobufWriter().bytes(1, nodeId ?? new Uint8Array(0))

function decodeNodeInfo(bytes: Uint8Array): Uint8Array | undefined {
  const reader = new ProtobufReader(bytes)
  let nodeId: Uint8Array | undefined
  while (reader.next()) {
    if (reader.field === 1) nodeId = reader.bytes()
    else reader.skip()
  }
  return nodeId
}

export const encodePingRequest = ({ nodeId, validate }: Partial<PingRequest> = {}): Uint8Array =>
  new ProtobufWriter()
    .message(2, nodeInfo(nodeId))
    .bool(3, validate ?? false)
    .finish()

/** A ping that is longer by what follows it: no node reads a field of this number. */
const paddingField = 15

export const encodePaddedPing = (padding: Uint8Array): Uint8Array =>
  new ProtobufWriter().message(2, nodeInfo(undefined)).requiredBytes(paddingField, padding).finish()

export function decodePingRequest(bytes: Uint8Array): PingRequest {
  const reader = new ProtobufReader(bytes)
  let nodeId: Uint8Array | undefined
  let validate = false
  while (reader.next()) {
    if (reader.field === 2) nodeId = decodeNodeInfo(reader.bytes())
    else if (reader.field === 3) validate = reader.bool()
    else reader.skip()
  }
  return { nodeId, validate }
}

export const encodePingResponse = ({ nodeId, dhtTime, available = false }: PingResponse): Uint8Array =>
  new ProtobufWriter().message(2, nodeInfo(nodeId)).double(4, dhtTime).bool(5, available).finish()

export function decodePingResponse(bytes: Uint8Array): PingResponse {
  const reader = new ProtobufReader(bytes)
  let nodeId: Uint8Array | undefined
  let dhtTime = 0
  let available = false
  while (reader.next()) {
    if (reader.field === 2) nodeId = decodeNodeInfo(reader.bytes())
    else if (reader.field === 4) dhtTime = reader.double()
    else if (reader.field === 5) available = reader.bool()
    else reader.skip()
  }
  return { nodeId, dhtTime, available }
}

/** @param nodeId of the caller; left out by a client */
export const encodeFindRequest = (keys: readonly Uint8Array[], nodeId?: Uint8Array): Uint8Array =>
  new ProtobufWriter().repeatedBytes(2, keys).message(3, nodeInfo(nodeId)).finish()

export function decodeFindRequest(bytes: Uint8Array): FindRequest {
  const reader = new ProtobufReader(bytes)
  const keys: Uint8Array[] = []
  let nodeId: Uint8Array | undefined
  while (reader.next()) {
    if (reader.field === 2) pushBounded(keys, reader.bytes(), maxResults)
    else if (reader.field === 3) nodeId = decodeNodeInfo(reader.bytes())
    else reader.skip()
  }
  return { keys, nodeId }
}

export function encodeStoreRequest({ items, nodeId }: StoreRequest): Uint8Array {
  const of = <K extends keyof StoredItem>(name: K): StoredItem[K][] => items.map((item) => item[name])
  return new ProtobufWriter()
    .repeatedBytes(2, of('key'))
    .repeatedBytes(3, of('subkey'))
    .repeatedBytes(4, of('value'))
    .packedDouble(5, of('expirationTime'))
    .packedUint32(6, of('inCache').map(Number))
    .message(7, nodeInfo(nodeId))
    .finish()
}

/** @throws ProtocolError also if the lists of its fields differ in length */
export function decodeStoreRequest(bytes: Uint8Array): StoreRequest {
  const reader = new ProtobufReader(bytes)
  const [keys, subkeys, values]: Uint8Array[][] = [[], [], []]
  const times: number[] = []
  const inCache: number[] = []
  let nodeId: Uint8Array | undefined
  while (reader.next()) {
    if (reader.field === 2) pushBounded(keys!, reader.bytes(), maxResults)
    else if (reader.field === 3) pushBounded(subkeys!, reader.bytes(), maxResults)
    else if (reader.field === 4) pushBounded(values!, reader.bytes(), maxResults)
    else if (reader.field === 5) reader.repeatedDouble(times, maxResults)
    else if (reader.field === 6) reader.repeatedUint32(inCache, maxResults)
    else if (reader.field === 7) nodeId = decodeNodeInfo(reader.bytes())
    else reader.skip()
  }
  if ([subkeys!, values!, times, inCache].some(({ length }) => length !== keys!.length))
    throw new ProtocolError('The lists of a request to store differ in length.')
  const items = keys!.map((key, i) => ({
    key,
    subkey: subkeys![i]!,
    value: values![i]!,
    expirationTime: times[i]!,
    inCache: inCache[i] === 1,
  }))
  return { items, nodeId }
}

export const encodeStoreResponse = ({ stored, nodeId }: StoreResponse): Uint8Array =>
  new ProtobufWriter().packedUint32(2, stored.map(Number)).message(3, nodeInfo(nodeId)).finish()

export function decodeStoreResponse(bytes: Uint8Array): StoreResponse {
  const reader = new ProtobufReader(bytes)
  const stored: number[] = []
  let nodeId: Uint8Array | undefined
  while (reader.next()) {
    if (reader.field === 2) reader.repeatedUint32(stored, maxResults)
    else if (reader.field === 3) nodeId = decodeNodeInfo(reader.bytes())
    else reader.skip()
  }
  return { stored: stored.map((value) => value === 1), nodeId }
}

function writeFindResult(result: FindResult): ProtobufWriter {
  return new ProtobufWriter()
    .uint32(1, result.type)
    .bytes(2, result.value)
    .double(3, result.expirationTime)
    .repeatedBytes(4, result.nearestNodeIds)
    .repeatedBytes(5, result.nearestPeerIds)
}

export function encodeFindResponse({ results, nodeId }: FindResponse): Uint8Array {
  const writer = new ProtobufWriter()
  for (const result of results) writer.message(2, writeFindResult(result))
  return writer.message(3, nodeInfo(nodeId)).finish()
}

export function decodeFindResponse(bytes: Uint8Array): FindResponse {
  const reader = new ProtobufReader(bytes)
  const results: FindResult[] = []
  let nodeId: Uint8Array | undefined
  while (reader.next()) {
    if (reader.field === 2) pushBounded(results, decodeFindResult(reader.bytes()), maxResults)
    else if (reader.field === 3) nodeId = decodeNodeInfo(reader.bytes())
    else reader.skip()
  }
  return { results, nodeId }
}

function decodeFindResult(bytes: Uint8Array): FindResult {
  const reader = new ProtobufReader(bytes)
  const nearestNodeIds: Uint8Array[] = []
  const nearestPeerIds: Uint8Array[] = []
  let type = 0
  let value: Uint8Array = new Uint8Array(0)
  let expirationTime = 0
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        type = reader.uint32()
        break
      case 2:
        value = reader.bytes()
        break
      case 3:
        expirationTime = reader.double()
        break
      case 4:
        pushBounded(nearestNodeIds, reader.bytes(), maxNeighbours)
        break
      case 5:
        pushBounded(nearestPeerIds, reader.bytes(), maxNeighbours)
        break
      default:
        reader.skip()
    }
  }
  return { type, value, expirationTime, nearestNodeIds, nearestPeerIds }
}
