import { setTimeout } from 'node:timers/promises'
import { ContributeError } from '../contribute-error.ts'
import { describeExit, type ServerFailure } from './failure.ts'
import type { ServerEvent } from './log-reader.ts'
import type { PetalsProcess, ServerExit } from './petals-process.ts'
import { initialState, restarted, withEvent, type ServerState } from './server-state.ts'

export interface KeepServingOptions {
  /** Starts the server; `restarts` counts from 0. */
  readonly start: (onEvent: (event: ServerEvent) => void, restarts: number) => Promise<PetalsProcess>
  readonly onState: (state: ServerState) => void
  /** Called when the server has ended and will be restarted after `pauseMs` milliseconds. */
  readonly onRestart: (failure: ServerFailure, pauseMs: number) => void
  /** Ends the server, which announces to the swarm that it leaves. */
  readonly signal: AbortSignal
  /** For tests. */
  readonly timing?: Partial<KeeperTiming>
}

export interface KeeperTiming {
  /** The pause before the first restart; it doubles each time. */
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** After serving for this long, a server counts as healthy: the pauses start from the first one again. */
  readonly steadyMs: number
  /** The time for announcing to the swarm that it leaves. */
  readonly leaveMs: number
  /** The most starts without steady service. */
  readonly maxAttempts: number
}

const defaultTiming: KeeperTiming = {
  firstPauseMs: 2000,
  longestPauseMs: 60_000,
  steadyMs: 300_000,
  leaveMs: 10_000,
  maxAttempts: 6,
}

/**
 * Keeps a server running until `signal` is aborted: it is restarted after a crash, with longer and longer pauses.
 * @throws ContributeError if another start would fail in the same way
 */
export async function keepServing(options: KeepServingOptions): Promise<void> {
  const timing = { ...defaultTiming, ...options.timing }
  const { signal, onState, onRestart } = options
  let state = initialState
  const update = (next: ServerState): void => {
    state = next
    onState(state)
  }
  let hasServed = false
  let attempts = 0
  for (let restarts = 0; !signal.aborted; restarts++) {
    let servingSince: number | undefined
    const onEvent = (event: ServerEvent): void => {
      if (event.kind === 'started') servingSince = performance.now()
      update(withEvent(state, event))
    }
    update(restarted(state))
    const exit = await runOnce(await options.start(onEvent, restarts), signal, timing.leaveMs)
    if (exit === undefined) return
    hasServed ||= servingSince !== undefined
    const wasSteady = servingSince !== undefined && performance.now() - servingSince >= timing.steadyMs
    attempts = wasSteady ? 1 : attempts + 1
    const failure = describeExit(exit)
    const isHopeless = hasServed ? false : !failure.passing || !failure.known
    if (isHopeless || attempts >= timing.maxAttempts) throw new ContributeError(failure.message)

    const pauseMs = Math.min(timing.longestPauseMs, timing.firstPauseMs * 2 ** (attempts - 1))
    update({ ...restarted(state), phase: 'waiting' })
    onRestart(failure, pauseMs)
    await setTimeout(pauseMs, undefined, { signal }).catch(() => {})
  }
}

/** Resolves to how the server ended; undefined if `signal` ended it. */
async function runOnce(
  server: PetalsProcess,
  signal: AbortSignal,
  leaveMs: number,
): Promise<ServerExit | undefined> {
  const stop = Promise.withResolvers<undefined>()
  const onAbort = (): void => stop.resolve(undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const exit = await Promise.race([server.exited, stop.promise])
    if (exit === undefined) await server.leave(leaveMs)
    return signal.aborted ? undefined : exit
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
