/** Messages of hivemind's DHT (`hivemind/proto/dht.proto`): those of a client, and those of the servers in tests. */
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
}

/** More keys than a model has blocks, and more neighbours than hivemind ever sends (20). */
const maxResults = 4096
const maxNeighbours = 256

/** The NodeInfo of a client is empty, so that no node adds it to its routing table. */
const clientNodeInfo = (): ProtobufWriter => new ProtobufWriter()

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

export const encodePingRequest = (): Uint8Array => new ProtobufWriter().message(2, clientNodeInfo()).finish()

export const encodePingResponse = ({ nodeId, dhtTime }: PingResponse): Uint8Array =>
  new ProtobufWriter().message(2, nodeInfo(nodeId)).double(4, dhtTime).finish()

export function decodePingResponse(bytes: Uint8Array): PingResponse {
  const reader = new ProtobufReader(bytes)
  let nodeId: Uint8Array | undefined
  let dhtTime = 0
  while (reader.next()) {
    if (reader.field === 2) nodeId = decodeNodeInfo(reader.bytes())
    else if (reader.field === 4) dhtTime = reader.double()
    else reader.skip()
  }
  return { nodeId, dhtTime }
}

export const encodeFindRequest = (keys: readonly Uint8Array[]): Uint8Array =>
  new ProtobufWriter().repeatedBytes(2, keys).message(3, clientNodeInfo()).finish()

export function decodeFindRequest(bytes: Uint8Array): readonly Uint8Array[] {
  const reader = new ProtobufReader(bytes)
  const keys: Uint8Array[] = []
  while (reader.next()) {
    if (reader.field === 2) pushBounded(keys, reader.bytes(), maxResults)
    else reader.skip()
  }
  return keys
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
