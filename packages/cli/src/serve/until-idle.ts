import { setTimeout as sleep } from 'node:timers/promises'

/** How long the event loop must have been almost idle. On loopback, a start waits for nothing that long. */
const windowMs = 50
const mostUtilization = 0.2

/**
 * Resolves when this process waits for something else (a child process, the network, a download), or when `end` does: then there
 * is time for work that nothing waits for yet.
 */
export async function untilIdle(end: Promise<unknown>): Promise<void> {
  const ended = Symbol('ended')
  const stopping = new AbortController()
  const ending = end.then(
    () => ended,
    () => ended,
  )
  try {
    for (;;) {
      const before = performance.eventLoopUtilization()
      const waiting = sleep(windowMs, undefined, { ref: false, signal: stopping.signal })
      if ((await Promise.race([ending, waiting.catch(() => {})])) === ended) return
      if (performance.eventLoopUtilization(before).utilization < mostUtilization) return
    }
  } finally {
    stopping.abort()
  }
}
