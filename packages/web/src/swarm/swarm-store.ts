import type { SwarmModel } from '../api/swarm.ts'
import { toApiError, type ApiErrorDetails } from '../api/errors.ts'
import { createStore, type Store } from '../store.ts'
import { parseHistory, recordSamples, type SwarmHistory } from './swarm-history.ts'

export interface SwarmState {
  readonly status: 'loading' | 'ready' | 'failed'
  /** The last state; kept when a later request fails. */
  readonly models: readonly SwarmModel[]
  readonly history: SwarmHistory
  readonly error: ApiErrorDetails | undefined
}

export interface SwarmStore extends Store<SwarmState> {
  /** Reads the state of the swarm now and every few seconds, until the returned function is called. */
  watch(): () => void
}

export interface SwarmOptions {
  readonly fetchSwarm: (options: { readonly signal?: AbortSignal }) => Promise<readonly SwarmModel[]>
  readonly storage?: Pick<Storage, 'getItem' | 'setItem'> | undefined
  readonly now?: () => number
}

const INTERVAL_MS = 5000
const TIMEOUT_MS = 10_000
const KEY = 'petals-chat.swarm-history'

/** The present state of the swarm, and its history of the last hour from the server and this browser. */
export function createSwarmStore({ fetchSwarm, storage, now = Date.now }: SwarmOptions): SwarmStore {
  const history = parseHistory(storage?.getItem(KEY) ?? null)
  const store = createStore<SwarmState>({ status: 'loading', models: [], history, error: undefined })
  const look = async (): Promise<void> => {
    try {
      const models = await fetchSwarm({ signal: AbortSignal.timeout(TIMEOUT_MS) })
      const history = recordSamples(store.get().history, models, now())
      store.set({ status: 'ready', models, history, error: undefined })
      keep(storage, history)
    } catch (cause) {
      store.update((state) => ({ ...state, status: 'failed', error: toApiError(cause).details }))
    }
  }
  return {
    get: store.get,
    subscribe: store.subscribe,
    watch() {
      let timer: ReturnType<typeof setTimeout> | undefined
      let watching = true
      const turn = async (): Promise<void> => {
        await look()
        if (watching) timer = setTimeout(() => void turn(), INTERVAL_MS)
      }
      void turn()
      return () => {
        watching = false
        clearTimeout(timer)
      }
    },
  }
}

function keep(storage: SwarmOptions['storage'], history: SwarmHistory): void {
  try {
    storage?.setItem(KEY, JSON.stringify(history))
  } catch {
    // Storage is full or refused: the history ends with the page.
  }
}
