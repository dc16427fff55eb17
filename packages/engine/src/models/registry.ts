import { abortable, type AbortOptions } from '../abort.ts'
import type { Engine, Model } from '../engine.ts'
import { InvalidRequestError, ModelNotFoundError } from '../errors.ts'
import { silentLogger, type Logger } from '../logger.ts'
import { silentMetrics, type Metrics } from '../metrics.ts'
import { createLoadMetrics } from './load-metrics.ts'
import type { ModelRegistry, ModelState } from './model-registry.ts'
import { ModelSlot } from './model-slot.ts'
import type { ModelSpec } from './model-spec.ts'

export interface ModelRegistryOptions {
  readonly specs: readonly ModelSpec[]
  /** The registry does not dispose them: they belong to whoever made them. */
  readonly engines: readonly Engine[]
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Unload a model that had no open session and no call for so long. Left out: models stay. */
  readonly idleUnloadMs?: number | undefined
}

/**
 * The models of a server: each is loaded by its first `get`, once for all who wait for it.
 * @throws InvalidRequestError if two models share a name, or a model's engine is not there.
 */
export function createModelRegistry(options: ModelRegistryOptions): ModelRegistry {
  const { specs, engines, logger = silentLogger, idleUnloadMs } = options
  const metrics = createLoadMetrics(options.metrics ?? silentMetrics)
  const specsByName = indexByName(specs)
  const slots = new Map<ModelSpec, ModelSlot>()
  for (const spec of specs) {
    const engine = engineOf(spec, engines)
    slots.set(
      spec,
      new ModelSlot({ spec, engine, logger: logger.child({ model: spec.id }), metrics, idleUnloadMs }),
    )
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

function engineOf(spec: ModelSpec, engines: readonly Engine[]): Engine {
  const engine = engines.find(({ name }) => name === spec.engine)
  if (engine !== undefined) return engine
  const known = engines.map(({ name }) => name).join(', ') || 'none'
  throw new InvalidRequestError(
    `The model '${spec.id}' wants the engine '${spec.engine}'; engines here: ${known}.`,
    { param: 'models' },
  )
}
