import type { AbortOptions } from '../abort.ts'
import type { WaitOptions } from '../engine.ts'
import type { SwarmWait } from '../swarm/swarm-status.ts'

/** The engine starts to wait, or (undefined) continues. */
export interface WaitEvent {
  readonly type: 'wait'
  readonly wait: SwarmWait | undefined
}

interface WaitingOptions {
  readonly signal: AbortSignal
  readonly onWait: NonNullable<WaitOptions['onWait']>
}

/**
 * Yields the items of `start` and, in between, the waits that its engine reports. Leaving the loop stops the work, also
 * during a wait.
 */
export async function* withWaits<Item>(
  { signal }: AbortOptions,
  start: (options: WaitingOptions) => AsyncIterable<Item>,
): AsyncGenerator<Item | WaitEvent, void, undefined> {
  const left = new AbortController()
  const waits: WaitEvent[] = []
  let notify = (): void => {}
  const items = start({
    signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
    onWait: (wait) => {
      waits.push({ type: 'wait', wait })
      notify()
    },
  })[Symbol.asyncIterator]()
  let isPending = false
  const settled = (): void => {
    isPending = false
    notify()
  }
  try {
    while (true) {
      const next = items.next()
      isPending = true
      next.then(settled, settled)
      while (isPending || waits.length > 0) {
        const change = Promise.withResolvers<void>()
        notify = change.resolve
        if (waits.length === 0) await change.promise
        else yield waits.shift()!
      }
      const { value, done } = await next
      if (done) return
      yield value
    }
  } finally {
    if (isPending) left.abort(new Error('The caller stopped reading the answer.'))
    await items.return?.()
  }
}
