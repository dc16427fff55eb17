import { multiaddr } from '@multiformats/multiaddr'
import { vectorsOf } from '../../../packages/petals/fixtures/vectors.ts'
import { computeSpans } from '../../../packages/petals/src/blocks/spans.ts'
import { EntryPool } from '../../../packages/petals/src/dht/entry-pool.ts'
import { RecordMerger } from '../../../packages/petals/src/dht/record-merger.ts'
import { dhtIdOf } from '../../../packages/petals/src/dht/dht-id.ts'
import { ProtocolError } from '../../../packages/petals/src/errors.ts'
import { readOutputs } from '../../../packages/petals/src/inference/step-outputs.ts'
import { AddressPolicy } from '../../../packages/petals/src/p2p/address-policy.ts'
import { readAddress } from '../../../packages/petals/src/p2p/multiaddrs.ts'
import { peerIdFromBytes, peerIdFromText } from '../../../packages/petals/src/p2p/peer-id.ts'
import { decodeFrameHeader, frameHeaderBytes } from '../../../packages/petals/src/rpc/framing.ts'
import { decodeTensor } from '../../../packages/petals/src/tensor/codecs/index.ts'
import {
  decodeFindRequest,
  decodeFindResponse,
  decodePingRequest,
  decodePingResponse,
  decodeStoreRequest,
  findResultTypes,
} from '../../../packages/petals/src/wire/dht.ts'
import { decodeCloserPeers, encodeCloserPeers } from '../../../packages/petals/src/wire/kad.ts'
import { decodeMsgpack } from '../../../packages/petals/src/wire/msgpack-decode.ts'
import { encodeMsgpack } from '../../../packages/petals/src/wire/msgpack-encode.ts'
import { DhtDictionary } from '../../../packages/petals/src/wire/msgpack-values.ts'
import {
  decodeRpcError,
  decodeUnaryEnvelope,
  encodeRpcError,
} from '../../../packages/petals/src/wire/p2pd.ts'
import {
  decodeExpertInfo,
  decodeExpertRequest,
  decodeExpertResponse,
  decodeTensorMessage,
  encodeExpertResponse,
} from '../../../packages/petals/src/wire/runtime.ts'
import type { FuzzTarget } from '../fuzz.ts'

const recorded = (...prefixes: readonly string[]): readonly Uint8Array[] =>
  prefixes
    .flatMap((prefix) => vectorsOf(prefix))
    .flatMap(({ hex, base64 }) =>
      hex ? Buffer.from(hex, 'hex') : base64 ? Buffer.from(String(base64), 'base64') : [],
    )

const target = (
  name: string,
  seeds: readonly Uint8Array[],
  run: (bytes: Uint8Array) => unknown,
): FuzzTarget => ({
  name: `petals-${name}`,
  seeds,
  run,
  refusals: [ProtocolError],
})

const peer = 'QmVkqaunyKCw4NKmWXbsGhkr5CotM8vCBKWyxsh8FGZyfr'
const now = 1_900_000_000
const ids = ['/ip4/8.8.8.8/tcp/31330', '/dns4/a.example/tcp/1/wss', `/ip6/::1/tcp/1/p2p/${peer}/p2p-circuit`]
const addresses = ids.map((text) => multiaddr(text).bytes)
const peerBytes = Buffer.concat([Buffer.from([0x12, 32]), Buffer.alloc(32, 7)])

const tensorSeeds = recorded(
  'tensor/float',
  'tensor/bfloat',
  'tensor/comp',
  'tensor/dummy',
  'tensor/hypo',
  'tensor/zero',
)
const dictionaryOf = (...values: readonly Uint8Array[]): Uint8Array =>
  encodeMsgpack(
    new DhtDictionary(
      values.map((value, i) => ({
        subkey: i === 0 ? peer : `[owner:ssh-rsa AAAA${i}]`,
        value,
        expirationTime: now + 100,
      })),
    ),
  )

/** From the bytes of a node's answer to the spans that a route is chosen from. */
function readRecord(bytes: Uint8Array): unknown {
  const merger = new RecordMerger(dhtIdOf('Toy-hf.0'), new EntryPool(() => false))
  const found = { expirationTime: now, nearestNodeIds: [], nearestPeerIds: [] }
  merger.add({ ...found, type: findResultTypes.dictionary, value: bytes }, now)
  return computeSpans([merger.build(now), undefined])
}

function judgeAddress(bytes: Uint8Array): unknown {
  const address = readAddress(bytes)
  return address && new AddressPolicy('deny').allows(address)
}

/** The decoders of what servers and nodes of a swarm send. */
export const petalsTargets: readonly FuzzTarget[] = [
  target('find-response', recorded('dht/find_response'), decodeFindResponse),
  target('find-request', recorded('dht/find_request'), decodeFindRequest),
  target('store-request', recorded('dht/store_request'), decodeStoreRequest),
  target('ping-request', recorded('dht/ping_request_client'), decodePingRequest),
  target('ping-response', recorded('dht/ping_response'), decodePingResponse),
  target('closer-peers', [encodeCloserPeers([{ id: peerBytes, multiaddrs: addresses }])], (bytes) =>
    decodeCloserPeers(bytes).map(({ id }) => peerIdFromBytes(id)),
  ),
  target('unary-envelope', recorded('unary/'), decodeUnaryEnvelope),
  target('rpc-error', [encodeRpcError('Remote peer does not serve x'), encodeRpcError('')], decodeRpcError),
  target(
    'expert-request',
    recorded('inference/first', 'inference/second', 'forward/request'),
    decodeExpertRequest,
  ),
  target('expert-info', recorded('rpc_info/response'), (bytes) => decodeMsgpack(decodeExpertInfo(bytes))),
  target(
    'msgpack',
    recorded('msgpack/', 'serverinfo/', 'modelinfo', 'dht/dictionary', 'packing/', 'inference/metadata'),
    decodeMsgpack,
  ),
  target('tensor', tensorSeeds, (bytes) => decodeTensor(decodeTensorMessage(bytes))),
  target(
    'step-outputs',
    [
      ...recorded('inference/response'),
      ...tensorSeeds.map((bytes) =>
        encodeExpertResponse({ tensors: [decodeTensorMessage(bytes)], metadata: new Uint8Array(0) }),
      ),
    ],
    (bytes) => readOutputs(decodeExpertResponse(bytes), 2, 4),
  ),
  target('frame-header', recorded('stream/'), (bytes) => {
    if (bytes.byteLength >= frameHeaderBytes) decodeFrameHeader(bytes, 2 ** 20)
  }),
  target('dht-record', [dictionaryOf(...recorded('serverinfo/')), ...recorded('dht/dictionary')], readRecord),
  target('address', addresses, judgeAddress),
  target('peer-id', [peerBytes, Buffer.from(peer)], (bytes) => [
    peerIdFromBytes(bytes),
    peerIdFromText(Buffer.from(bytes).toString('latin1')),
  ]),
]
