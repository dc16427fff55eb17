import { byLikenessTo, likenessOf } from '../../blocks/numbers.ts'
import type { Span } from '../../blocks/spans.ts'
import type { PeerId } from '../../p2p/peer-id.ts'
import type { ServerStatus } from '../../routing/router.ts'

/** A standby must not take the last room from a session: a server needs so many times the room. */
const spareRoom = 4

/** While the hop's server is well, a standby that would take this many times as long for a token does not take over. */
const tolerableSlowness = 1.5
/** Round trips are not measured more exactly than this. */
const slackSeconds = 0.01

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

/**
 * Returns a server that holds all blocks of the hop, has plenty of room and is beyond doubt; undefined for none. Of several,
 * the fastest of those that compute with the same numbers as the hop's server: then an answer goes on as it would have.
 */
export function chooseSpare(
  servers: readonly ServerStatus[],
  hop: Span,
  { route, lengthOn, reserved, isExcluded }: SpareOptions,
): Span | undefined {
  const { start, end, peer } = hop
  const inUse = new Set(route.map((span) => span.peer))
  const byLikeness = byLikenessTo(hop.server)
  const able = servers.filter(
    (each) =>
      each.start <= start && end <= each.end && each.peer !== peer && isSound(each) && !isExcluded(each.peer),
  )
  const [best] = able
    .map((each) => ({ ...each, start, end }))
    .filter((span) => hasRoom(span, lengthOn(span), reserved(span.peer)))
    .toSorted(
      (a, b) =>
        Number(inUse.has(a.peer)) - Number(inUse.has(b.peer)) ||
        byLikeness(a, b) ||
        secondsOf(a) - secondsOf(b),
    )
  return best && { peer: best.peer, server: best.server, start, end }
}

/**
 * Reports whether the standby is as good as the hop's server, which may be well: it computes with the same numbers, and is not
 * much slower. Without that, an aborted answer would leave a fast machine for a slow one.
 */
export function isAsGood(spare: Span, hop: Span, rttSeconds: (peer: PeerId) => number | undefined): boolean {
  const [its, used] = [spare, hop].map((span) => secondsOf({ ...span, rttSeconds: rttSeconds(span.peer) }))
  return likenessOf(spare.server, hop.server) === 'same' && its! <= tolerableSlowness * used! + slackSeconds
}

/** Reports whether the server would still have the room for one more session like this standby, by what it announces now. */
export const hasRoomBeside = (
  { server: { cacheTokensLeft = Infinity } }: Pick<Span, 'server'>,
  { span: { start, end }, maxLength }: { readonly span: Span; readonly maxLength: number },
): boolean => cacheTokensLeft >= 2 * maxLength * (end - start)

const isSound = ({ server, usable, alive, bannedForMs, verdict }: ServerStatus): boolean =>
  usable && server.state === 'online' && alive !== false && bannedForMs === 0 && verdict === undefined

/** Servers announce vectors: a key and a value for each token in each block. */
const hasRoom = (
  { start, end, server: { cacheTokensLeft = Infinity } }: Span,
  tokens: number,
  reserved: number,
): boolean => cacheTokensLeft - reserved >= spareRoom * 2 * tokens * (end - start)

const secondsOf = ({
  start,
  end,
  server,
  rttSeconds = defaultRttSeconds,
}: Span & { readonly rttSeconds: number | undefined }): number =>
  rttSeconds + (end - start) / (server.inferenceRps ?? defaultInferenceRps)
