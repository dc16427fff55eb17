import fc from 'fast-check'
import protobufjs from 'protobufjs'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { hex, toHex, vector, vectorsOf } from '../../fixtures/vectors.ts'
import { ProtocolError } from '../errors.ts'
import {
  decodeFindRequest,
  decodeFindResponse,
  decodePingRequest,
  decodePingResponse,
  decodeStoreRequest,
  decodeStoreResponse,
  encodeFindRequest,
  encodeFindResponse,
  encodePingRequest,
  encodePingResponse,
  encodeStoreRequest,
  encodeStoreResponse,
} from './dht.ts'
import { decodeCloserPeers, decodeFindNode, encodeCloserPeers, encodeFindNode } from './kad.ts'
import { decodeRpcError, decodeUnaryEnvelope, encodeRpcError, encodeUnaryEnvelope } from './p2pd.ts'
import {
  decodeExpertInfo,
  decodeExpertRequest,
  decodeExpertResponse,
  decodeExpertUid,
  decodeTensorMessage,
  encodeExpertInfo,
  encodeExpertRequest,
  encodeExpertResponse,
  encodeExpertUid,
  encodeTensorMessage,
} from './runtime.ts'

/** The messages as the .proto files declare them, read by another implementation. */
const declared = (file: string, name: string): protobufjs.Type => {
  const source = readFileSync(new URL(`./${file}.proto`, import.meta.url), 'utf8')
  return protobufjs.parse(source, { keepCase: true }).root.lookupType(name)
}

describe('bytes recorded from hivemind', () => {
  it.each(vectorsOf('tensor/').filter(({ hex, base64 }) => hex ?? base64))('$id', (recorded) => {
    const bytes = recorded.hex ? hex(recorded.hex) : Buffer.from(recorded.base64, 'base64')
    const message = decodeTensorMessage(bytes)
    expect(message).toMatchObject({
      size: recorded.size,
      dtype: recorded.dtype,
      compression: recorded.compression,
    })
    if (recorded.buffer_hex !== undefined) expect(toHex(message.buffer)).toBe(recorded.buffer_hex)
    expect(toHex(encodeTensorMessage(message))).toBe(toHex(bytes))
  })

  it('a split tensor', () => {
    for (const part of vector('tensor/split').value) {
      expect(toHex(encodeTensorMessage(decodeTensorMessage(hex(part))))).toBe(part)
    }
  })

  it.each([
    'inference/first_2.2.0.post1',
    'inference/first_HEAD',
    'inference/second_HEAD',
    'forward/request',
  ])('%s', (id) => {
    const bytes = hex(vector(id).hex)
    const request = decodeExpertRequest(bytes)
    expect(request.uid).toMatch(/^SmolLM2-135M-Instruct-hf\.0/)
    expect(toHex(request.metadata)).toBe(vector(id).metadata_hex)
    expect(toHex(encodeExpertRequest(request))).toBe(toHex(bytes))
  })

  it('inference/response', () => {
    const bytes = hex(vector('inference/response').hex)
    const response = decodeExpertResponse(bytes)
    expect(response.tensors).toHaveLength(1)
    expect(toHex(encodeExpertResponse(response))).toBe(toHex(bytes))
  })

  it('rpc_info', () => {
    const uid = decodeExpertUid(hex(vector('rpc_info/request').hex))
    expect(toHex(encodeExpertUid(uid))).toBe(vector('rpc_info/request').hex)
    const info = decodeExpertInfo(hex(vector('rpc_info/response').hex))
    expect(toHex(info)).toBe(vector('rpc_info/response').serialized_info_hex)
    expect(toHex(encodeExpertInfo(info))).toBe(vector('rpc_info/response').hex)
  })

  it('DHT messages', () => {
    expect(toHex(encodePingRequest())).toBe(vector('dht/ping_request_client').hex)
    const ping = decodePingResponse(hex(vector('dht/ping_response').hex))
    expect(ping.dhtTime).toBe(1_900_000_000)
    expect(toHex(ping.nodeId!)).toBe('000102030405060708090a0b0c0d0e0f10111213')
    expect(toHex(encodePingResponse(ping))).toBe(vector('dht/ping_response').hex)

    const { keys } = decodeFindRequest(hex(vector('dht/find_request').hex))
    expect(toHex(encodeFindRequest(keys))).toBe(vector('dht/find_request').hex)
    const store = decodeStoreRequest(hex(vector('dht/store_request').hex))
    expect(store.items.map(({ key }) => toHex(key))).toEqual([toHex(keys[0]!)])
    expect(toHex(encodeStoreRequest(store))).toBe(vector('dht/store_request').hex)
    expect(decodePingRequest(hex(vector('dht/ping_request_client').hex))).toEqual({
      nodeId: undefined,
      validate: false,
    })
    const found = decodeFindResponse(hex(vector('dht/find_response').hex))
    expect(found.results.map(({ type }) => type)).toEqual([2, 0])
    expect(found.results[0]!.nearestNodeIds).toHaveLength(1)
    expect(toHex(encodeFindResponse(found))).toBe(vector('dht/find_response').hex)
  })

  it('answers to a store, which have one verdict for each item', () => {
    const response = { stored: [true, false, true], nodeId: Uint8Array.of(7) }
    expect(decodeStoreResponse(encodeStoreResponse(response))).toEqual({
      ...response,
      nodeId: Buffer.of(7),
    })
    expect(decodeStoreResponse(encodeStoreResponse({ stored: [false], nodeId: undefined })).stored).toEqual([
      false,
    ])
  })

  it('unary envelopes (after their length prefix of one byte)', () => {
    const request = decodeUnaryEnvelope(hex(vector('unary/request').hex).subarray(1))
    expect(request.call?.method).toBe('DHTProtocol.rpc_find')
    expect(toHex(request.callId)).toBe('000102030405060708090a0b0c0d0e0f')
    const response = decodeUnaryEnvelope(hex(vector('unary/response').hex).subarray(1))
    expect(toHex(response.response!)).toBe('1200')
    const error = decodeUnaryEnvelope(hex(vector('unary/error').hex).subarray(1))
    expect(Buffer.from(error.error!).toString()).toBe("KeyError('nope')")
    for (const [id, envelope] of [
      ['unary/request', request],
      ['unary/response', response],
      ['unary/error', error],
    ] as const) {
      expect(toHex(encodeUnaryEnvelope(envelope))).toBe(vector(id).hex.slice(2))
    }
  })

  it('error frames (after their header of nine bytes)', () => {
    expect(decodeRpcError(hex(vector('stream/error').hex).subarray(9))).toBe('boom')
    expect(decodeRpcError(hex(vector('stream/error_empty').hex).subarray(9))).toBe('')
    expect(toHex(encodeRpcError('boom'))).toBe(vector('stream/error').hex.slice(18))
    expect(toHex(encodeRpcError(''))).toBe(vector('stream/error_empty').hex.slice(18))
  })
})

describe('against the .proto files read by protobufjs', () => {
  it('required bytes are written even if empty', () => {
    const call = { peer: new Uint8Array(0), method: 'DHTProtocol.rpc_ping', data: new Uint8Array(0) }
    const bytes = encodeUnaryEnvelope({ callId: new Uint8Array(16), call })
    const message = declared('p2pd', 'PersistentConnectionRequest').decode(bytes)
    expect(message.toJSON()).toEqual({
      call_id: Buffer.alloc(16).toString('base64'),
      call_unary: { peer: '', proto: 'DHTProtocol.rpc_ping', data: '' },
    })
  })

  it('tensors with any fields', () => {
    const type = declared('runtime', 'TensorMessage')
    const tensor = fc.record({
      buffer: fc.uint8Array(),
      size: fc.array(fc.nat(2 ** 32 - 1), { maxLength: 8 }),
      dtype: fc.string(),
      compression: fc.nat(100),
      chunks: fc.nat(2 ** 31 - 1),
    })
    const property = fc.property(tensor, (message) => {
      const theirs = type.encode(type.create(message)).finish()
      expect(decodeTensorMessage(theirs)).toEqual({ ...message, buffer: Buffer.from(message.buffer) })
      expect(type.decode(encodeTensorMessage(message))).toMatchObject({
        size: message.size,
        dtype: message.dtype,
      })
    })
    fc.assert(property)
  })

  it('FIND_NODE', () => {
    const type = declared('kad', 'KadMessage')
    const key = Uint8Array.of(1, 2, 3)
    expect(type.decode(encodeFindNode(key)).toJSON()).toEqual({ type: 4, key: 'AQID' })
    expect(decodeFindNode(encodeFindNode(key))).toEqual(Buffer.from(key))
    const peers = [{ id: Uint8Array.of(9), multiaddrs: [Uint8Array.of(4, 127, 0, 0, 1), Uint8Array.of(6)] }]
    const theirs = type.encode({ type: 4, closer_peers: peers }).finish()
    expect(toHex(encodeCloserPeers(peers))).toBe(toHex(theirs))
    expect(decodeCloserPeers(theirs).map(({ multiaddrs }) => multiaddrs.map(toHex))).toEqual([
      ['047f000001', '06'],
    ])
  })
})

describe('untrusted input', () => {
  const decoders = {
    decodeCloserPeers,
    decodeExpertInfo,
    decodeExpertRequest,
    decodeExpertResponse,
    decodeFindNode,
    decodeFindRequest,
    decodeFindResponse,
    decodePingRequest,
    decodePingResponse,
    decodeRpcError,
    decodeStoreRequest,
    decodeStoreResponse,
    decodeTensorMessage,
    decodeUnaryEnvelope,
  }
  const wellFormed = ['dht/find_response', 'inference/first_HEAD', 'rpc_info/response', 'dht/ping_response']

  it.each(Object.entries(decoders))('%s decodes any bytes, or throws a ProtocolError', (_name, decode) => {
    const damaged = fc
      .tuple(
        fc.constantFrom(...wellFormed),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
        fc.nat(),
      )
      .map(([id, changes, length]) => {
        const bytes = hex(vector(id).hex)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        return bytes.subarray(0, (length % bytes.length) + 1)
      })
    const property = fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
      try {
        decode(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    })
    fc.assert(property, { numRuns: 1000 })
  })

  it('millions of empty elements are refused', () => {
    const bytes = new Uint8Array(2_000_000)
    for (let i = 0; i < bytes.length; i += 2) bytes[i] = 0x12 // field 2, length 0
    expect(() => decodeExpertRequest(bytes)).toThrow(/more than 64 times/)
    expect(() => decodeFindResponse(bytes)).toThrow(ProtocolError)
  })
})
