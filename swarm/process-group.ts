import type { ChildProcess } from 'node:child_process'

/** Lets a program and its child processes end with this process. `child` was started with `detached`. */
export function endsWithUs(child: ChildProcess): Disposable {
  const end = (): void => endGroup(child)
  process.on('exit', end)
  return {
    [Symbol.dispose]() {
      end()
      process.off('exit', end)
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
