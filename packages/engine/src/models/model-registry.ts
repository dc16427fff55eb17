import type { AbortOptions } from '../abort.ts'
import type { LoadProgress, Model } from '../engine.ts'
import type { ModelSpec } from './model-spec.ts'

/** Where a model is on its way from the config to an answer. */
export interface ModelState {
  readonly state: 'idle' | 'loading' | 'ready' | 'degraded' | 'unavailable'
  readonly progress?: LoadProgress | undefined
  /** A sentence for a person: what is wrong and how to mend it. */
  readonly detail?: string | undefined
}

/** The models of this server. A model is loaded by the first `get`; callers that come meanwhile share that load. */
export interface ModelRegistry extends AsyncDisposable {
  list(): readonly ModelSpec[]
  find(idOrAlias: string): ModelSpec | undefined
  /** @throws ModelNotFoundError, ModelUnavailableError. A failed load is tried again by the next `get`. */
  get(idOrAlias: string, options?: AbortOptions): Promise<Model>
  /** The model if it is loaded already; never loads. */
  peek(idOrAlias: string): Model | undefined
  state(idOrAlias: string, options?: AbortOptions): Promise<ModelState>
}
