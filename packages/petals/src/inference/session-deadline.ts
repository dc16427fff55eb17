import type { Span } from '../blocks/spans.ts'
import { awaited, type SessionState } from './server-session-state.ts'
import type { StepTimes } from './step-times.ts'

export interface DeadlineOptions {
  readonly times: StepTimes
  readonly span: Span
  /** Deadline for connecting, allocating the KV cache and the first answer, together. */
  readonly openTimeoutMs: number
  /** Multiplies the deadlines of steps. */
  readonly deadlineScale: number
}

export interface Deadline {
  /** What must be done by then, as the subject of an error's sentence. */
  readonly what: string
  /** From now. */
  readonly ms: number
}

/** Returns how long a server session may stay in a state; undefined: without limit. */
export function deadlineOf(
  state: SessionState,
  { times, span, openTimeoutMs, deadlineScale: scale }: DeadlineOptions,
): Deadline | undefined {
  const waitsFor = awaited(state)
  if (waitsFor === undefined) return undefined
  const what = 'Opening a session'
  if (waitsFor === 'opening') return { what, ms: times.openingDeadlineMs(span.peer, openTimeoutMs, scale) }
  if (waitsFor === 'joining') return { what, ms: openTimeoutMs * state.pushedOpenings }
  const { tokens, since } = waitsFor
  if (since === Infinity) return undefined
  const claimedMs = claimedStepMs(span, tokens)
  return { what: `A step of ${tokens} tokens`, ms: times.deadlineMs(span.peer, tokens, { claimedMs, scale }) }
}

/** Returns how long a step should take at the speed that the server announces; undefined if it announces none. */
function claimedStepMs({ start, end, server }: Span, tokens: number): number | undefined {
  const rps = tokens === 1 ? server.inferenceRps : server.forwardRps
  return rps && (tokens * (end - start) * 1000) / rps
}
