import { toApiError, type ApiErrorDetails } from '../api/errors.ts'
import type { ModelInfo } from '../api/models.ts'
import { createStore, type Store } from './store.ts'

export interface ModelsState {
  readonly status: 'loading' | 'ready' | 'failed'
  /** The last list that came; kept when a later request fails. */
  readonly models: readonly ModelInfo[]
  readonly error: ApiErrorDetails | undefined
}

export interface ModelsStore extends Store<ModelsState> {
  refresh(): Promise<void>
  /** Refreshes as long as the page is looked at: often while a model loads, seldom otherwise. */
  start(): void
  stop(): void
}

export interface ModelsOptions {
  readonly fetchModels: (options: { readonly signal?: AbortSignal }) => Promise<readonly ModelInfo[]>
  readonly isVisible?: () => boolean
}

const BUSY_INTERVAL_MS = 700
const FAILED_INTERVAL_MS = 3000
const CALM_INTERVAL_MS = 20_000

export function createModelsStore({ fetchModels, isVisible = () => true }: ModelsOptions): ModelsStore {
  const store = createStore<ModelsState>({ status: 'loading', models: [], error: undefined })
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  let started = false

  const load = async (): Promise<void> => {
    try {
      const models = await fetchModels({ signal: AbortSignal.timeout(10_000) })
      store.set({ status: 'ready', models, error: undefined })
    } catch (cause) {
      store.update(({ models }) => ({ status: 'failed', models, error: toApiError(cause).details }))
    }
  }
  const schedule = (): void => {
    clearTimeout(timer)
    if (started)
      timer = setTimeout(() => void (isVisible() ? refresh() : schedule()), intervalFor(store.get()))
  }
  const refresh = (): Promise<void> =>
    (running ??= load().finally(() => {
      running = undefined
      schedule()
    }))

  return {
    get: store.get,
    subscribe: store.subscribe,
    refresh,
    start() {
      started = true
      void refresh()
    },
    stop() {
      started = false
      clearTimeout(timer)
    },
  }
}

function intervalFor({ status, models }: ModelsState): number {
  if (status === 'failed') return FAILED_INTERVAL_MS
  return models.some((model) => model.state.name === 'loading') ? BUSY_INTERVAL_MS : CALM_INTERVAL_MS
}

/** A model to compare with: another one that can answer, else the same. */
export function pickOther(models: readonly ModelInfo[], id: string | undefined): ModelInfo | undefined {
  return (
    models.find((model) => model.id !== id && model.state.name !== 'unavailable') ?? pickModel(models, id)
  )
}

/** The model of that id, else the first one that can answer, else the first. */
export function pickModel(models: readonly ModelInfo[], id: string | undefined): ModelInfo | undefined {
  return (
    models.find((model) => model.id === id) ??
    models.find((model) => model.state.name !== 'unavailable') ??
    models[0]
  )
}
