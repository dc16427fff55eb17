import type { Span } from '../../blocks/spans.ts'
import type { PeerId } from '../../p2p/peer-id.ts'
import type { ServerStatus } from '../../routing/router.ts'

/** A standby must not take the last room from a session: a server needs so many times the room. */
const spareRoom = 4

/** For servers that were not pinged, and for those that announce no speed (`petals/client/routing/sequence_manager.py`). */
const defaultRttSeconds = 0.15
const defaultInferenceRps = 300

export interface SpareOptions {
  /** The servers of the whole route: one of them would be lost for two hops at once. */
  readonly route: readonly Span[]
  /** Tokens that a session on this server would hold. */
  readonly lengthOn: (span: Span) => number
  /** Vectors of KV cache on the server that are taken, though it may not have announced it yet. */
  readonly reserved: (peer: PeerId) => number
  readonly isExcluded: (peer: PeerId) => boolean
}

/** Returns the fastest server that holds all blocks of the hop, has plenty of room and is beyond doubt; undefined for none. */
export function chooseSpare(
  servers: readonly ServerStatus[],
  { start, end, peer }: Span,
  { route, lengthOn, reserved, isExcluded }: SpareOptions,
): Span | undefined {
  const inUse = new Set(route.map((span) => span.peer))
  const able = servers.filter(
    (each) =>
      each.start <= start && end <= each.end && each.peer !== peer && isSound(each) && !isExcluded(each.peer),
  )
  const [best] = able
    .map((each) => ({ ...each, start, end }))
    .filter((span) => hasRoom(span, lengthOn(span), reserved(span.peer)))
    .toSorted((a, b) => Number(inUse.has(a.peer)) - Number(inUse.has(b.peer)) || secondsOf(a) - secondsOf(b))
  return best && { peer: best.peer, server: best.server, start, end }
}

const isSound = ({ server, usable, alive, bannedForMs, verdict }: ServerStatus): boolean =>
  usable && server.state === 'online' && alive !== false && bannedForMs === 0 && verdict === undefined

/** Servers announce vectors: a key and a value for each token in each block. */
const hasRoom = (
  { start, end, server: { cacheTokensLeft = Infinity } }: Span,
  tokens: number,
  reserved: number,
): boolean => cacheTokensLeft - reserved >= spareRoom * 2 * tokens * (end - start)

const secondsOf = ({ start, end, server, rttSeconds = defaultRttSeconds }: ServerStatus): number =>
  rttSeconds + (end - start) / (server.inferenceRps ?? defaultInferenceRps)
