import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/**
 * Servers can push their outputs to the next server: n round trips from this client become about (n + 1) / 2.
 * - `per-step`: servers that read `next_servers` in each step's metadata (newer than 2.2; those that can rewind);
 * - `at-opening`: 2.2.0.post1 reads it only in a session's first request, which holds for every step.
 */
export type PushKind = 'per-step' | 'at-opening'

/** Time that a token is expected to spend on the network, milliseconds. */
export interface PushGain {
  readonly relayedMs: number
  readonly pushedMs: number
}

/** A failure in a pushed route is harder to recover from, so the gain must be worth it. */
const minSavingMs = 10
const minSavingShare = 0.1

/**
 * Returns undefined unless all times are measured and a push saves enough. `rttSeconds` returns the shortest round trip from
 * this client, because a server that was busy when it was pinged is not far away.
 */
export function pushGain(
  route: readonly Span[],
  rttSeconds: (peer: PeerId) => number | undefined,
): PushGain | undefined {
  if (route.length < 2) return undefined
  const fromHere = route.map(({ peer }) => rttSeconds(peer))
  const between = route.slice(1).map(({ peer }, i) => route[i]!.server.nextPings?.get(peer))
  const times = [...fromHere, ...between]
  if (times.some((seconds) => seconds === undefined || !Number.isFinite(seconds))) return undefined
  const relayedMs = sum(fromHere) * 1000
  const pushedMs = ((fromHere[0]! + fromHere.at(-1)! + sum(between)) / 2) * 1000
  const saving = relayedMs - pushedMs
  return saving >= minSavingMs && saving >= relayedMs * minSavingShare ? { relayedMs, pushedMs } : undefined
}

/** Returns the kind that all servers have in common, except the last, which pushes to none. */
export function pushKind(readsSteps: readonly boolean[]): PushKind | undefined {
  if (readsSteps.every((reads) => reads)) return 'per-step'
  return readsSteps.some((reads) => reads) ? undefined : 'at-opening'
}

const sum = (values: readonly (number | undefined)[]): number =>
  values.reduce<number>((total, value) => total + value!, 0)

/** A push is a unary call of at most 4 MiB (`p2pd`), metadata included; this is left for the values of one step. */
const maxPushedBytes = 4 * 1024 * 1024 - 64 * 1024

/** Returns the tokens that fit into one push in the widest type in which a server may answer. */
export const maxPushedTokens = (hiddenSize: number): number =>
  Math.max(1, Math.floor(maxPushedBytes / (hiddenSize * 4)))

/** Longer prompts are faster when relayed in pipelined chunks. A route with push at the opening can't do both. */
export const maxPushedPrompt = 1024
