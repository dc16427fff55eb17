import type { ChildProcess } from 'node:child_process'

const groups = new Set<ChildProcess>()
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Lets a program and its child processes end with this process, however it ends, except by SIGKILL. `child` was started with
 * `detached`: a terminal sends Ctrl+C to this process alone.
 */
export function endsWithUs(child: ChildProcess): Disposable {
  if (groups.size === 0) {
    process.on('exit', endAll)
    for (const signal of endingSignals) process.on(signal, endBySignal)
  }
  groups.add(child)
  return {
    [Symbol.dispose]() {
      if (!groups.delete(child)) return
      endGroup(child)
      if (groups.size === 0) forgetEnds()
    },
  }
}

/** Ends a program that was started with `detached`, and its child processes, also those that outlive it. */
export function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of them have ended.
  }
}

function endAll(): void {
  for (const child of groups) endGroup(child)
}

/** Ends this process as the signal does without a listener. Node then emits no `exit`. */
function endBySignal(signal: NodeJS.Signals): void {
  // Another listener decides how this process ends.
  if (process.listenerCount(signal) > 1) return
  endAll()
  forgetEnds()
  process.kill(process.pid, signal)
}

function forgetEnds(): void {
  process.off('exit', endAll)
  for (const signal of endingSignals) process.off(signal, endBySignal)
}
