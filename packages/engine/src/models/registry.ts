import { abortable, type AbortOptions } from '../abort.ts'
import type { Engine, LoadOptions, Model } from '../engine.ts'
import { InvalidRequestError, ModelNotFoundError } from '../errors.ts'
import { silentLogger, type Logger } from '../logger.ts'
import { silentMetrics, type Metrics } from '../metrics.ts'
import { createLoadMetrics } from './load-metrics.ts'
import type { ModelRegistry, ModelState } from './model-registry.ts'
import { ModelSlot } from './model-slot.ts'
import type { ModelSpec } from './model-spec.ts'

/** A model entry with the function that loads it. */
export interface LoadableModel {
  readonly spec: ModelSpec
  load(options: LoadOptions): Promise<Model>
}

/** Returns a model that `engine` loads from its entry. */
export const loadableModel = <Spec extends ModelSpec>(spec: Spec, engine: Engine<Spec>): LoadableModel => ({
  spec,
  load: (options) => engine.load(spec, options),
})

export interface ModelRegistryOptions {
  /** The engines behind them belong to the caller: the registry does not dispose them. */
  readonly models: readonly LoadableModel[]
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Unload a model after this time without an open session and without a call. Absent: models stay loaded. */
  readonly idleUnloadMs?: number | undefined
}

/**
 * Creates the registry of a server's models. The first `get` of a model loads it; concurrent callers share the load.
 * @throws InvalidRequestError if two models share a name
 */
export function createModelRegistry(options: ModelRegistryOptions): ModelRegistry {
  const { models, logger = silentLogger, idleUnloadMs } = options
  const specs = models.map(({ spec }) => spec)
  const metrics = createLoadMetrics(options.metrics ?? silentMetrics)
  const specsByName = indexByName(specs)
  const slots = new Map<ModelSpec, ModelSlot>()
  for (const model of models) {
    const { spec } = model
    const load = (loadOptions: LoadOptions) => model.load(loadOptions)
    const slotLogger = logger.child({ model: spec.id })
    slots.set(spec, new ModelSlot({ spec, load, logger: slotLogger, metrics, idleUnloadMs }))
  }

  const slotOf = (name: string): ModelSlot => {
    const spec = specsByName.get(name)
    if (spec === undefined)
      throw new ModelNotFoundError(
        name,
        specs.map(({ id }) => id),
      )
    return slots.get(spec)!
  }

  return {
    list: () => specs,
    find: (name) => specsByName.get(name),
    async get(name: string, { signal }: AbortOptions = {}): Promise<Model> {
      const slot = slotOf(name)
      signal?.throwIfAborted()
      return abortable(slot.get(), signal)
    },
    peek: (name) => (specsByName.has(name) ? slotOf(name).peek() : undefined),
    async state(name: string, abort?: AbortOptions): Promise<ModelState> {
      return slotOf(name).state(abort)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...slots.values()].map((slot) => slot[Symbol.asyncDispose]()))
    },
  }
}

function indexByName(specs: readonly ModelSpec[]): ReadonlyMap<string, ModelSpec> {
  const byName = new Map<string, ModelSpec>()
  for (const spec of specs) {
    for (const name of [spec.id, ...spec.aliases]) {
      const other = byName.get(name)
      if (other !== undefined) {
        const holders =
          other === spec ? `'${spec.id}' lists it twice` : `'${other.id}' and '${spec.id}' both have it`
        throw new InvalidRequestError(
          `The model name '${name}' is not unique: ${holders}. Change an id or an alias.`,
          { param: 'models' },
        )
      }
      byName.set(name, spec)
    }
  }
  return byName
}
