import type { AbortOptions } from '../abort.ts'
import type { LoadProgress, Model } from '../engine.ts'
import type { ModelSpec } from './model-spec.ts'

/** The state of a configured model. */
export interface ModelState {
  readonly state: 'idle' | 'loading' | 'ready' | 'degraded' | 'unavailable'
  readonly progress?: LoadProgress | undefined
  /** A sentence for the user: what is wrong and how to fix it. */
  readonly detail?: string | undefined
}

/** The models of this server. The first `get` of a model loads it; concurrent callers share that load. */
export interface ModelRegistry extends AsyncDisposable {
  list(): readonly ModelSpec[]
  find(idOrAlias: string): ModelSpec | undefined
  /** @throws ModelNotFoundError, ModelUnavailableError. After a failed load, the next `get` tries again. */
  get(idOrAlias: string, options?: AbortOptions): Promise<Model>
  /** Returns the model if it is already loaded; never loads it. */
  peek(idOrAlias: string): Model | undefined
  state(idOrAlias: string, options?: AbortOptions): Promise<ModelState>
}
