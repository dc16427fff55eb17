import type { AbortOptions } from '../abort.ts'
import type { Engine, LoadProgress, Model } from '../engine.ts'
import { EngineError, ModelUnavailableError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { ModelState } from './model-registry.ts'
import type { ModelSpec } from './model-spec.ts'
import { trackUse } from './track-use.ts'

export interface ModelSlotOptions {
  readonly spec: ModelSpec
  readonly engine: Engine
  readonly logger: Logger
  readonly metrics: Metrics
  readonly idleUnloadMs: number | undefined
}

/** One model of the registry, on its way between idle, loading and ready. */
export interface ModelSlot extends AsyncDisposable {
  get(): Promise<Model>
  peek(): Model | undefined
  state(options?: AbortOptions): Promise<ModelState>
}

type Phase =
  | { readonly name: 'idle' }
  | { readonly name: 'loading'; readonly loading: Promise<Model>; progress?: LoadProgress }
  | { readonly name: 'ready'; readonly model: Model; readonly touch: () => void }
  | { readonly name: 'failed'; readonly detail: string }

export function createModelSlot({
  spec,
  engine,
  logger,
  metrics,
  idleUnloadMs,
}: ModelSlotOptions): ModelSlot {
  const closing = new AbortController()
  const loadSeconds = metrics.histogram({
    name: 'petals_chat_model_load_seconds',
    help: 'Time to load a model, downloads included.',
    labels: ['model', 'outcome'],
    buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800],
  })
  const loaded = metrics.gauge({
    name: 'petals_chat_model_loaded',
    help: '1 while the model is loaded.',
    labels: ['model'],
  })
  let phase: Phase = { name: 'idle' }
  let unloading: Promise<void> = Promise.resolve()

  function load(): Promise<Model> {
    const started = performance.now()
    const outcome = (name: string) =>
      loadSeconds.observe((performance.now() - started) / 1000, { model: spec.id, outcome: name })

    const begin = async (): Promise<Model> => {
      await unloading
      logger.info({ engine: engine.name, source: spec.source }, 'loading the model')
      const onProgress = (progress: LoadProgress) => {
        if (phase.name === 'loading') phase.progress = progress
      }
      return engine.load(spec, { signal: closing.signal, onProgress })
    }
    const loading = begin().then(
      (model) => {
        outcome('ok')
        logger.info({ seconds: (performance.now() - started) / 1000 }, 'the model is ready')
        return becomeReady(model)
      },
      (error: unknown) => {
        outcome('error')
        const failure = asEngineError(error, spec, closing.signal)
        logger.error({ err: error }, failure.message)
        phase = { name: 'failed', detail: failure.message }
        throw failure
      },
    )
    phase = { name: 'loading', loading }
    return loading
  }

  function becomeReady(model: Model): Model {
    loaded.set(1, { model: spec.id })
    const ready =
      idleUnloadMs === undefined
        ? { model, touch: () => {} }
        : trackUse(model, { idleMs: idleUnloadMs, onIdle: unload })
    phase = { name: 'ready', ...ready }
    return ready.model
  }

  function unload(): void {
    if (phase.name !== 'ready') return
    const { model } = phase
    phase = { name: 'idle' }
    loaded.set(0, { model: spec.id })
    logger.info({}, 'unloading the model')
    unloading = Promise.resolve(model[Symbol.asyncDispose]()).catch((error: unknown) => {
      logger.error({ err: error }, 'the model did not unload cleanly')
    })
  }

  return {
    async get() {
      if (closing.signal.aborted) throw shuttingDown()
      if (phase.name === 'loading') return phase.loading
      if (phase.name !== 'ready') return load()
      phase.touch()
      return phase.model
    },
    peek: () => (phase.name === 'ready' ? phase.model : undefined),
    async state(options) {
      if (phase.name === 'loading') return { state: 'loading', progress: phase.progress }
      if (phase.name === 'failed') return { state: 'unavailable', detail: phase.detail }
      return phase.name === 'ready' ? phase.model.status(options) : { state: 'idle' }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(shuttingDown())
      if (phase.name === 'loading') await phase.loading.catch(() => {})
      unload()
      await unloading
    },
  }
}

function shuttingDown(): ModelUnavailableError {
  return new ModelUnavailableError('The server is shutting down. Try again in a moment.')
}

/** What a client may be told. Errors that no engine made on purpose stay in the log. */
function asEngineError(error: unknown, spec: ModelSpec, closing: AbortSignal): EngineError {
  if (error instanceof EngineError) return error
  if (closing.aborted) return shuttingDown()
  return new ModelUnavailableError(
    `The model '${spec.id}' could not be loaded; the server's log says why. Try again.`,
    { cause: error },
  )
}
