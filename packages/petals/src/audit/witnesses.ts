import type { BlockRange } from '../blocks/block-range.ts'
import type { Span } from '../blocks/spans.ts'
import { sessionLength } from '../inference/session-length.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { ServerStatus } from '../routing/router.ts'

/** A check that needs more servers than this says too little about each of them. */
const mostServers = 3

export interface WitnessOptions {
  /** Length of the inputs. */
  readonly tokens: number
  /** The most tokens that the session which is checked will ever hold. */
  readonly maxLength: number
  /** `Precision.kind` of a server; undefined if none of its kind is to be preferred. */
  readonly kindOf: (server: Span) => string | undefined
  /** Numbers 0 … 1. */
  readonly random: () => number
}

/**
 * Chooses, by chance, servers that can compute these blocks: one, if one holds them all, or else up to three. Returns
 * undefined if there are none besides those that are excluded. Servers that compute with the same
 * precision come first: they differ least.
 */
export function chooseWitnesses(
  servers: readonly ServerStatus[],
  accused: Span,
  excluded: ReadonlySet<PeerId>,
  { tokens, maxLength, kindOf, random }: WitnessOptions,
): readonly Span[] | undefined {
  const lengthOn = (span: Span): number => sessionLength({ needed: tokens, maximum: maxLength, span })
  const able = servers.filter(
    (each) => isAble(each) && hasRoom(each, lengthOn(each)) && !excluded.has(each.peer),
  )
  const kind = kindOf(accused)
  const alike = kind === undefined ? [] : able.filter((each) => kindOf(each) === kind)
  return cover(accused, alike, random) ?? cover(accused, able, random)
}

const isAble = ({ server, usable, alive, bannedForMs }: ServerStatus): boolean =>
  usable && server.state === 'online' && alive !== false && bannedForMs === 0

/** A check must not take the last room from a session. */
const spareRoom = 4

/** Servers announce vectors: a key and a value for each token in each block. */
const hasRoom = ({ server: { cacheTokensLeft = Infinity }, start, end }: Span, tokens: number): boolean =>
  cacheTokensLeft >= spareRoom * 2 * tokens * (end - start)

function cover(
  { start, end }: BlockRange,
  servers: readonly Span[],
  random: () => number,
): readonly Span[] | undefined {
  const hops: Span[] = []
  for (let block = start; block < end; block = hops.at(-1)!.end) {
    const holders = servers.filter((each) => each.start <= block && block < each.end)
    const whole = holders.filter((each) => each.end >= end)
    const candidates = whole.length > 0 ? whole : holders
    const chosen = candidates[Math.floor(random() * candidates.length)]
    if (!chosen || hops.length === mostServers) return undefined
    hops.push({ peer: chosen.peer, server: chosen.server, start: block, end: Math.min(chosen.end, end) })
  }
  return hops
}
