import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/**
 * Servers can hand outputs on to the next server themselves: n round trips from here become about (n + 1) / 2.
 * - `per-step`: servers that read `next_servers` in each step's metadata (newer than 2.2; those that can rewind);
 * - `at-opening`: 2.2.0.post1 reads it in a session's first request only, and then for every step.
 */
export type PushKind = 'per-step' | 'at-opening'

/** What a token is expected to spend on the network, milliseconds. */
export interface PushGain {
  readonly relayedMs: number
  readonly pushedMs: number
}

/** A pushed chain is harder to mend: it must be worth it. */
const minSavingMs = 10
const minSavingShare = 0.1

/**
 * Undefined unless all the times are measured, and pushing saves enough. `rttSeconds` gives the shortest round trip from
 * here: a server that was busy when it was pinged is not far away.
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

/** The kind that all servers but the last, which pushes to nobody, have in common. */
export function pushKind(readsSteps: readonly boolean[]): PushKind | undefined {
  if (readsSteps.every((reads) => reads)) return 'per-step'
  return readsSteps.some((reads) => reads) ? undefined : 'at-opening'
}

const sum = (values: readonly (number | undefined)[]): number =>
  values.reduce<number>((total, value) => total + value!, 0)

/** A push is a unary call: 4 MiB with everything (`p2pd`), so this much for the values of one step. */
const maxPushedBytes = 4 * 1024 * 1024 - 64 * 1024

/** Tokens that fit into one push, by the widest type that a server may answer in. */
export const maxPushedTokens = (hiddenSize: number): number =>
  Math.max(1, Math.floor(maxPushedBytes / (hiddenSize * 4)))

/** Prompts longer than this are run faster in pipelined parts, relayed; a chain that is told at its opening can't do both. */
export const maxPushedPrompt = 1024
