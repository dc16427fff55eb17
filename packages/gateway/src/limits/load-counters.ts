import type { Logger } from '@petals-chat/engine'
import type { StoreConfig } from './limits-config.ts'
import type { WindowCounters } from './window-counters.ts'

/**
 * Creates the counters of the limits. Their libraries take a while to load, which a server without limits need not wait
 * for: they are loaded by the first count, or at once if a store has to be connected.
 */
export function loadCounters(store: StoreConfig | undefined, logger: Logger): WindowCounters {
  const load = async (): Promise<WindowCounters> =>
    store === undefined
      ? (await import('./window-counters.ts')).memoryCounters()
      : (await import('./shared-counters.ts')).sharedCounters(store, logger)
  let loaded: Promise<WindowCounters> | undefined
  const counters = (): Promise<WindowCounters> => (loaded ??= load())
  // The first count reports the error of a library that can't be loaded.
  if (store !== undefined) counters().catch(() => {})
  return {
    add: async (key, amount, seconds) => (await counters()).add(key, amount, seconds),
    peek: async (key) => (await counters()).peek(key),
    async [Symbol.asyncDispose]() {
      await (await loaded)?.[Symbol.asyncDispose]()
    },
  }
}
