import { toApiError, type ApiErrorDetails } from '../api/errors.ts'
import type { ModelInfo, ModelState } from '../api/models.ts'
import { createStore, type Store } from '../store.ts'

export interface ModelsState {
  readonly status: 'loading' | 'ready' | 'failed'
  /** The last list of models. When a later request fails, it is kept, but the state of its models is unknown. */
  readonly models: readonly ModelInfo[]
  readonly error: ApiErrorDetails | undefined
  /** When an unreachable server is asked again, in milliseconds since 1970; undefined during the request. */
  readonly retryAt: number | undefined
}

export interface ModelsStore extends Store<ModelsState> {
  refresh(): Promise<void>
  /** Refreshes while the page is visible: often while a model loads, seldom otherwise. */
  start(): void
  stop(): void
}

export interface ModelsOptions {
  readonly fetchModels: (options: { readonly signal?: AbortSignal }) => Promise<readonly ModelInfo[]>
  readonly isVisible?: () => boolean
}

const BUSY_INTERVAL_MS = 700
const CALM_INTERVAL_MS = 10_000
/** An unreachable server may only be restarting: the page asks soon at first, then less often. */
const FIRST_RETRY_MS = 2000
const MAX_RETRY_MS = 30_000
const unknown: ModelState = { name: 'unknown', detail: undefined, progress: undefined }

export function createModelsStore({ fetchModels, isVisible = () => true }: ModelsOptions): ModelsStore {
  const store = createStore<ModelsState>({
    status: 'loading',
    models: [],
    error: undefined,
    retryAt: undefined,
  })
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  let started = false
  let failures = 0

  const load = async (): Promise<void> => {
    store.update((state) => ({ ...state, retryAt: undefined }))
    try {
      const models = await fetchModels({ signal: AbortSignal.timeout(10_000) })
      failures = 0
      store.set({ status: 'ready', models, error: undefined, retryAt: undefined })
    } catch (cause) {
      failures += 1
      store.update(({ models }) => ({
        status: 'failed',
        models: models.map((model) => ({ ...model, state: unknown })),
        error: toApiError(cause).details,
        retryAt: undefined,
      }))
    }
  }
  const schedule = (): void => {
    clearTimeout(timer)
    if (!started) return
    const delayMs = failures > 0 ? retryDelay(failures) : intervalFor(store.get())
    if (failures > 0) store.update((state) => ({ ...state, retryAt: Date.now() + delayMs }))
    timer = setTimeout(() => void (isVisible() ? refresh() : schedule()), delayMs)
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

function retryDelay(failures: number): number {
  return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
}

function intervalFor({ models }: ModelsState): number {
  return models.some((model) => model.state.name === 'loading') ? BUSY_INTERVAL_MS : CALM_INTERVAL_MS
}

/** Picks a model to compare with: another one that can answer, else the same. */
export function pickOther(models: readonly ModelInfo[], id: string | undefined): ModelInfo | undefined {
  return (
    models.find((model) => model.id !== id && model.state.name !== 'unavailable') ?? pickModel(models, id)
  )
}

/** Picks the model with the id, else the first one that can answer, else the first. */
export function pickModel(models: readonly ModelInfo[], id: string | undefined): ModelInfo | undefined {
  return (
    models.find((model) => model.id === id) ??
    models.find((model) => model.state.name !== 'unavailable') ??
    models[0]
  )
}
