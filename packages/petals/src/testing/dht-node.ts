import { randomBytes } from 'node:crypto'
import { dhtIdBytes, dhtIdOf, xorDistance } from '../dht/dht-id.ts'
import { findMethod, pingMethod } from '../dht/dht-methods.ts'
import { peerIdBytes, type PeerId } from '../p2p/peer-id.ts'
import type { TestPeer } from '../p2p/testing/test-peer.ts'
import {
  decodeFindRequest,
  encodeFindResponse,
  encodePingResponse,
  findResultTypes,
  type FindResult,
} from '../wire/dht.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { DhtDictionary, type DhtDictionaryEntry, type MsgpackInput } from '../wire/msgpack-values.ts'
import { serveUnary } from './rpc-server.ts'

export const unixSeconds = (): number => Date.now() / 1000

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** A node of hivemind's DHT on a test peer. It answers rpc_ping and rpc_find from its own records. */
export class DhtNode {
  readonly nodeId: Uint8Array
  readonly peer: PeerId
  /** The other nodes that it knows. */
  readonly neighbours: { readonly nodeId: Uint8Array; readonly peer: PeerId }[] = []
  /** Seconds by which the time that it reports is ahead of the true one. */
  clockSkew = 0
  finds = 0
  readonly #records = new Map<string, Map<string, DhtDictionaryEntry>>()

  static async serve(peer: TestPeer, nodeId: Uint8Array = randomBytes(dhtIdBytes)): Promise<DhtNode> {
    const node = new DhtNode(peer.id, nodeId)
    await serveUnary(peer, pingMethod.name, async () =>
      encodePingResponse({ nodeId: node.nodeId, dhtTime: unixSeconds() + node.clockSkew }),
    )
    await serveUnary(peer, findMethod.name, async (data) => {
      node.finds++
      const results = decodeFindRequest(data).keys.map((keyId) => node.find(keyId))
      return encodeFindResponse({ results, nodeId: node.nodeId })
    })
    return node
  }

  private constructor(peer: PeerId, nodeId: Uint8Array) {
    this.peer = peer
    this.nodeId = nodeId
  }

  /** Adds nodes as neighbours, and this node as a neighbour of each of them. */
  introduce(...others: readonly DhtNode[]): void {
    for (const other of others) {
      this.neighbours.push(other)
      other.neighbours.push(this)
    }
  }

  /** Stores a value until `expirationTime` (Unix seconds). A later call replaces an earlier one. */
  store(key: string, subkey: MsgpackInput, value: MsgpackInput, expirationTime = unixSeconds() + 240): void {
    this.storeBytes(key, subkey, encodeMsgpack(value), expirationTime)
  }

  storeBytes(key: string, subkey: MsgpackInput, value: Uint8Array, expirationTime: number): void {
    const keyId = toHex(dhtIdOf(key))
    const entries = this.#records.get(keyId) ?? new Map<string, DhtDictionaryEntry>()
    entries.set(toHex(encodeMsgpack(subkey)), {
      subkey: subkey as DhtDictionaryEntry['subkey'],
      value,
      expirationTime,
    })
    this.#records.set(keyId, entries)
  }

  remove(key: string, subkey: MsgpackInput): void {
    this.#records.get(toHex(dhtIdOf(key)))?.delete(toHex(encodeMsgpack(subkey)))
  }

  find(keyId: Uint8Array): FindResult {
    const entries = [...(this.#records.get(toHex(keyId))?.values() ?? [])]
    const nearest = this.neighbours
      .toSorted((a, b) => xorDistance(a.nodeId, keyId) - xorDistance(b.nodeId, keyId))
      .slice(0, 20)
    return {
      type: entries.length > 0 ? findResultTypes.dictionary : findResultTypes.notFound,
      value: entries.length > 0 ? encodeMsgpack(new DhtDictionary(entries)) : new Uint8Array(0),
      expirationTime: Math.max(0, ...entries.map(({ expirationTime }) => expirationTime)),
      nearestNodeIds: nearest.map(({ nodeId }) => nodeId),
      nearestPeerIds: nearest.map(({ peer }) => peerIdBytes(peer)),
    }
  }
}
