import type { AbortOptions } from '../abort.ts'
import type { WaitOptions } from '../engine.ts'
import type { SwarmWait } from '../swarm/swarm-status.ts'

/** The engine waits, or (undefined) goes on. */
export interface WaitEvent {
  readonly type: 'wait'
  readonly wait: SwarmWait | undefined
}

interface WaitingOptions {
  readonly signal: AbortSignal
  readonly onWait: NonNullable<WaitOptions['onWait']>
}

/**
 * What `start` yields and, in between, what its engine says that it waits for. Leaving the loop stops the work, also
 * while it waits.
 */
export async function* withWaits<Item>(
  { signal }: AbortOptions,
  start: (options: WaitingOptions) => AsyncIterable<Item>,
): AsyncGenerator<Item | WaitEvent, void, undefined> {
  const left = new AbortController()
  const news: WaitEvent[] = []
  let notify = (): void => {}
  const items = start({
    signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
    onWait: (wait) => {
      news.push({ type: 'wait', wait })
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
      while (isPending || news.length > 0) {
        const change = Promise.withResolvers<void>()
        notify = change.resolve
        if (news.length === 0) await change.promise
        else yield news.shift()!
      }
      const { value, done } = await next
      if (done) return
      yield value
    }
  } finally {
    if (isPending) left.abort(new Error('The answer is not wanted any more.'))
    await items.return?.()
  }
}
