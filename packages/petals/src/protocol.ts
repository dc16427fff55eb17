/**
 * The protocol of a Petals swarm for programs that serve it: a node that listens, calls of both sides, the DHT, and what
 * crosses the wire. `@petals-chat/petals/client` is for programs that only use a swarm.
 *
 * @packageDocumentation
 */
export { createBlockDirectory, type BlockDirectory } from './blocks/block-directory.ts'
export { blocksOf, formatBlocks, rangeLength, type BlockRange } from './blocks/block-range.ts'
export { blockUid, rangeUid } from './blocks/block-uid.ts'
export { encodeServerInfo } from './blocks/encode-server-info.ts'
export { parseServerInfo, type ServerInfo, type ServerState } from './blocks/server-info.ts'
export { computeSpans, type AnnouncedSpan, type Span } from './blocks/spans.ts'
export { isDhtPrefix, listSwarmModels, registryKey, type SwarmModel } from './blocks/swarm-models.ts'
export { startDhtNode, type DhtNode, type DhtNodeLoad } from './dht-node/dht-node.ts'
export type { Publication, Published } from './dht-node/published-records.ts'
export type { NewRecord, RecordCheck } from './dht-node/record-store.ts'
export type { DhtClient } from './dht/dht-client.ts'
export { dhtIdOf } from './dht/dht-id.ts'
export { paddedPingMethod } from './dht/dht-methods.ts'
export * from './errors.ts'
export { freshIdentity, loadIdentity } from './p2p/identity.ts'
export {
  createListeningTransport,
  type ListeningLimits,
  type ListeningOptions,
  type ListeningTransport,
  type ProtocolServer,
} from './p2p/listening/listening-transport.ts'
export { Shares } from './p2p/listening/shares.ts'
export { parsePeerId, peerIdBytes, peerIdFromBytes, shortPeerId, type PeerId } from './p2p/peer-id.ts'
export { RoundTrips } from './routing/round-trips.ts'
export { InboundBudget, longestMessage, type Reserve } from './rpc/inbound-budget.ts'
export { ServedError, type PythonError } from './rpc/remote-errors.ts'
export type { RpcClient, RpcMethod } from './rpc/rpc-client.ts'
export {
  serveStream,
  type NextOptions,
  type Received,
  type ServedCall,
  type ServeStreamOptions,
} from './rpc/serve-stream.ts'
export {
  serveUnary,
  type ServeUnaryOptions,
  type UnaryContext,
  type UnaryHandler,
} from './rpc/serve-unary.ts'
export { createRpcClient } from './rpc/transport-rpc-client.ts'
export { createServerProbe } from './swarm/server-probe.ts'
export { compressions, decodeTensor, encodeTensor, type Compression } from './tensor/codecs/index.ts'
export type { Dtype, FloatDtype } from './tensor/dtype.ts'
export { joinTensors, splitTensor } from './tensor/splitting.ts'
export { elementCount, floatTensor, tensorValues, type Tensor } from './tensor/tensor.ts'
export { decodePingRequest, decodePingResponse, encodePingRequest, encodePingResponse } from './wire/dht.ts'
export { decodeMsgpack } from './wire/msgpack-decode.ts'
export { encodeMsgpack } from './wire/msgpack-encode.ts'
export {
  Float,
  TensorDescriptor,
  Tuple,
  type MsgpackInput,
  type MsgpackValue,
} from './wire/msgpack-values.ts'
export {
  decodeExpertRequest,
  decodeExpertUid,
  encodeExpertInfo,
  encodeExpertRequest,
  encodeExpertResponse,
  type ExpertRequest,
  type TensorMessage,
} from './wire/runtime.ts'
