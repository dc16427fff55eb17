import type { AbortOptions } from '../abort.ts'
import type { LoadOptions, LoadProgress } from '../engine.ts'
import { EngineError, ModelUnavailableError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { LoadMetrics } from './load-metrics.ts'
import type { ModelState } from './model-registry.ts'
import { formatModelSource } from './model-source.ts'
import type { ModelSpec } from './model-spec.ts'
import { isRemoteModel, type ServedModel } from '../remote-model.ts'
import { trackUse } from './track-use.ts'

export interface ModelSlotOptions {
  readonly spec: ModelSpec
  readonly loaded?: ServedModel | undefined
  readonly load: (options: LoadOptions) => Promise<ServedModel>
  readonly logger: Logger
  readonly metrics: LoadMetrics
  readonly idleUnloadMs: number | undefined
}

type Phase =
  | { readonly name: 'idle' }
  | { readonly name: 'loading'; readonly loading: Promise<ServedModel>; progress?: LoadProgress }
  | { readonly name: 'ready'; readonly model: ServedModel; touch(): void }
  | { readonly name: 'failed'; readonly error: EngineError; readonly retryAt: number }

/** After the second failure in a row; doubles with each further one. */
const FIRST_PAUSE_MS = 1000
/** Short enough for a user who has fixed the cause and tries again. */
const MAX_PAUSE_MS = 10_000

/** One model of the registry: idle, loading, ready or failed. */
export class ModelSlot implements AsyncDisposable {
  readonly #options: ModelSlotOptions
  readonly #closing = new AbortController()
  #phase: Phase = { name: 'idle' }
  #unloading: Promise<void> = Promise.resolve()
  /** Loads that failed in a row. */
  #failures = 0

  constructor(options: ModelSlotOptions) {
    this.#options = options
    const { loaded, metrics, spec } = options
    if (loaded === undefined) return
    metrics.setLoaded(spec.id, true)
    this.#phase = { name: 'ready', model: loaded, touch: () => {} }
  }

  async get(): Promise<ServedModel> {
    const phase = this.#phase
    if (this.#closing.signal.aborted) throw shuttingDown()
    if (phase.name === 'loading') return phase.loading
    if (phase.name === 'failed' && performance.now() < phase.retryAt) throw phase.error
    if (phase.name !== 'ready') return this.#load()
    phase.touch()
    return phase.model
  }

  peek(): ServedModel | undefined {
    return this.#phase.name === 'ready' ? this.#phase.model : undefined
  }

  async state(options?: AbortOptions): Promise<ModelState> {
    const phase = this.#phase
    switch (phase.name) {
      case 'idle':
        return { state: 'idle' }
      case 'loading':
        return { state: 'loading', progress: phase.progress }
      case 'ready':
        return phase.model.status(options)
      case 'failed':
        return { state: 'unavailable', detail: phase.error.message }
    }
  }

  #load(): Promise<ServedModel> {
    const finished = this.#options.metrics.start(this.#options.spec.id)
    const loading = this.#run().then(
      (model) => {
        const seconds = finished('ok')
        this.#options.logger.info({ seconds }, 'the model is ready')
        return this.#becomeReady(model)
      },
      (error: unknown) => {
        finished('error')
        throw this.#fail(error)
      },
    )
    this.#phase = { name: 'loading', loading }
    return loading
  }

  async #run(): Promise<ServedModel> {
    const { load, spec, logger } = this.#options
    await this.#unloading
    const source = spec.source && formatModelSource(spec.source)
    logger.info({ engine: spec.engine, source }, 'loading the model')
    const onProgress = (progress: LoadProgress) => {
      if (this.#phase.name === 'loading') this.#phase.progress = progress
    }
    return load({ signal: this.#closing.signal, onProgress })
  }

  #becomeReady(model: ServedModel): ServedModel {
    const { idleUnloadMs: idleMs, metrics, spec } = this.#options
    metrics.setLoaded(spec.id, true)
    this.#failures = 0
    const tracked =
      idleMs === undefined || isRemoteModel(model)
        ? { model, touch: () => {} }
        : trackUse(model, { idleMs, onIdle: () => this.#unload() })
    this.#phase = { name: 'ready', ...tracked }
    return tracked.model
  }

  /** Records a failed load and returns the error for clients. The details of unexpected errors stay in the log. */
  #fail(error: unknown): EngineError {
    const { spec, logger } = this.#options
    const isStopped = this.#closing.signal.aborted
    const failure = isStopped ? shuttingDown() : asEngineError(error, spec)
    if (isStopped) logger.info({}, 'the load was stopped, because the server stops')
    else logger.error({ err: error }, failure.message)
    this.#phase = { name: 'failed', error: failure, retryAt: performance.now() + this.#pauseMs() }
    return failure
  }

  /** Each failed load costs file accesses, processes and connections, so requests during a pause get the last error. */
  #pauseMs(): number {
    const failures = ++this.#failures
    return failures < 2 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (failures - 2), MAX_PAUSE_MS)
  }

  #unload(): void {
    if (this.#phase.name !== 'ready') return
    const { spec, logger, metrics } = this.#options
    const { model } = this.#phase
    this.#phase = { name: 'idle' }
    metrics.setLoaded(spec.id, false)
    if (this.#options.loaded === undefined) logger.info({}, 'unloading the model')
    this.#unloading = Promise.resolve(model[Symbol.asyncDispose]()).catch((error: unknown) => {
      logger.error({ err: error }, 'the model did not unload cleanly')
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(shuttingDown())
    if (this.#phase.name === 'loading') await this.#phase.loading.catch(() => {})
    this.#unload()
    await this.#unloading
  }
}

function shuttingDown(): ModelUnavailableError {
  return new ModelUnavailableError('The server is shutting down. Try again in a moment.')
}

function asEngineError(error: unknown, { id }: ModelSpec): EngineError {
  if (error instanceof EngineError) return error
  const message = `The model '${id}' could not be loaded; the server's log says why. Try again.`
  return new ModelUnavailableError(message, { cause: error })
}
