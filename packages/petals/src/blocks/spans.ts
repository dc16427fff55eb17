import type { DhtRecord } from '../dht/dht-client.ts'
import { peerIdFromText, type PeerId } from '../p2p/peer-id.ts'
import type { MsgpackValue } from '../wire/msgpack-values.ts'
import type { BlockRange } from './block-range.ts'
import { parseServerInfo, type ServerInfo } from './server-info.ts'

/** The consecutive blocks that one server serves. */
export interface Span extends BlockRange {
  readonly peer: PeerId
  readonly server: ServerInfo
}

/** A span as the server announced it in the DHT. */
export interface AnnouncedSpan extends Span {
  /** When the server's latest announcement expires, Unix seconds of the swarm's clock. */
  readonly expirationTime: number
}

interface Announcement {
  readonly block: number
  readonly server: ServerInfo
  readonly expirationTime: number
}

/** A server announces all its blocks at once: an announcement that expires more than these seconds earlier is an older one. */
const sameTimeSeconds = 1

/**
 * Computes one span per server, in any state, from the records of all blocks of a model, in order. The server's latest
 * announcement counts: after a server has moved to other blocks, its old records stay for minutes. (`compute_spans` in
 * `petals/utils/dht.py` takes the first that it meets.)
 */
export function computeSpans(records: readonly (DhtRecord | undefined)[]): readonly AnnouncedSpan[] {
  const announcements = new Map<PeerId, Announcement[]>()
  const parsed = new ParsedOnce()
  records.forEach((record, block) => {
    for (const [subkey, { value, expirationTime }] of record?.subkeys ?? []) {
      const peer = parsed.peer(subkey)
      const server = peer && parsed.server(value)
      if (!server || !isPlausible(server, block, records.length)) continue
      const known = announcements.get(peer)
      if (known) known.push({ block, server, expirationTime })
      else announcements.set(peer, [{ block, server, expirationTime }])
    }
  })
  return [...announcements].map(([peer, made]) => toSpan(peer, made))
}

/** A server announces the same for all its blocks, in one object of the DHT client. */
class ParsedOnce {
  readonly #peers = new Map<string, PeerId | undefined>()
  readonly #servers = new Map<MsgpackValue, ServerInfo | undefined>()

  peer(text: string): PeerId | undefined {
    if (!this.#peers.has(text)) this.#peers.set(text, peerIdFromText(text))
    return this.#peers.get(text)
  }

  server(value: MsgpackValue): ServerInfo | undefined {
    if (!this.#servers.has(value)) this.#servers.set(value, parseServerInfo(value))
    return this.#servers.get(value)
  }
}

/** Reports whether the announced span contains the block of the record and lies within the model. */
const isPlausible = ({ blocks }: ServerInfo, block: number, numBlocks: number): boolean =>
  !blocks || (blocks.start <= block && block < blocks.end && blocks.end <= numBlocks)

function toSpan(peer: PeerId, announcements: readonly Announcement[]): AnnouncedSpan {
  const latest = announcements.reduce((a, b) => (b.expirationTime > a.expirationTime ? b : a))
  const { server, expirationTime } = latest
  const range = server.blocks ?? runAround(latest, announcements)
  return { peer, start: range.start, end: range.end, server, expirationTime }
}

/** Returns the consecutive blocks around the latest announcement that were announced together with it. */
function runAround(latest: Announcement, announcements: readonly Announcement[]): BlockRange {
  const current = announcements.filter(
    ({ expirationTime }) => expirationTime >= latest.expirationTime - sameTimeSeconds,
  )
  const blocks = new Set(current.map(({ block }) => block))
  let [start, end] = [latest.block, latest.block + 1]
  while (blocks.has(start - 1)) start--
  while (blocks.has(end)) end++
  return { start, end }
}

/** Returns the spans that hold each block; the index is the block. */
export function spansByBlock<S extends Span>(
  spans: readonly S[],
  numBlocks: number,
): readonly (readonly S[])[] {
  const byBlock: S[][] = Array.from({ length: numBlocks }, () => [])
  for (const span of spans) {
    for (let block = Math.max(span.start, 0); block < Math.min(span.end, numBlocks); block++)
      byBlock[block]!.push(span)
  }
  return byBlock
}

/** Returns the blocks of the range that no span holds. */
export function missingBlocks(spans: readonly Span[], { start, end }: BlockRange): readonly number[] {
  return spansByBlock(spans, end).flatMap((holders, block) =>
    block >= start && holders.length === 0 ? [block] : [],
  )
}
