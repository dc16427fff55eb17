import type { Engine, LoadOptions } from '../engine.ts'
import type { ServedModel } from '../remote-model.ts'
import type { ModelSpec } from './model-spec.ts'

/** A model entry with the function that loads it. */
export interface LoadableModel {
  readonly spec: ModelSpec
  /** The model, if there is nothing to load: its state is known before the first request. */
  readonly loaded?: ServedModel | undefined
  load(options: LoadOptions): Promise<ServedModel>
}

/** Models that come and go while the server runs. */
export interface ModelGroup {
  /** Returns the models of now. The list and its members stay the same objects as long as nothing changes. */
  models(): readonly LoadableModel[]
}

/** Returns a model that `engine` loads from its entry. */
export const loadableModel = <Spec extends ModelSpec>(spec: Spec, engine: Engine<Spec>): LoadableModel => ({
  spec,
  load: (options) => engine.load(spec, options),
})
