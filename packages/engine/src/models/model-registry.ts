import type { AbortOptions } from '../abort.ts'
import type { LoadProgress, Model } from '../engine.ts'
import type { ServedModel } from '../remote-model.ts'
import type { ModelSpec } from './model-spec.ts'

/** The state of a configured model. */
export interface ModelState {
  readonly state: 'idle' | 'loading' | 'ready' | 'degraded' | 'unavailable'
  readonly progress?: LoadProgress | undefined
  /** A sentence for the user: what is wrong and how to fix it. */
  readonly detail?: string | undefined
}

/** The models of this server. The first call for a model loads it; concurrent callers share that load. */
export interface ModelRegistry extends AsyncDisposable {
  /** Other servers may gain and lose models: the list may change. */
  list(): readonly ModelSpec[]
  find(idOrAlias: string): ModelSpec | undefined
  /**
   * Returns a model with sessions, for work on tokens.
   * @throws ModelNotFoundError, ModelUnavailableError: after a failed load, the next call tries again; InvalidRequestError
   *   for a model that another server runs
   */
  get(idOrAlias: string, options?: AbortOptions): Promise<Model>
  /** Returns a model of either kind. @throws ModelNotFoundError, ModelUnavailableError */
  load(idOrAlias: string, options?: AbortOptions): Promise<ServedModel>
  /** Returns the model if it is already loaded; never loads it. */
  peek(idOrAlias: string): ServedModel | undefined
  state(idOrAlias: string, options?: AbortOptions): Promise<ModelState>
}
