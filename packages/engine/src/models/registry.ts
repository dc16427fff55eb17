import { abortable, type AbortOptions } from '../abort.ts'
import type { LoadOptions, Model } from '../engine.ts'
import { InvalidRequestError } from '../errors.ts'
import { silentLogger, type Logger } from '../logger.ts'
import { silentMetrics, type Metrics } from '../metrics.ts'
import { isRemoteModel, type ServedModel } from '../remote-model.ts'
import { createLoadMetrics } from './load-metrics.ts'
import type { ModelRegistry, ModelState } from './model-registry.ts'
import { ModelSlot } from './model-slot.ts'
import type { LoadableModel, ModelGroup } from './loadable-model.ts'
import { NamedModels } from './named-models.ts'

export interface ModelRegistryOptions {
  /** The engines behind them belong to the caller: the registry does not dispose them. */
  readonly models: readonly (LoadableModel | ModelGroup)[]
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Unload a model after this time without an open session and without a call. Absent: models stay loaded. */
  readonly idleUnloadMs?: number | undefined
}

/**
 * Creates the registry of a server's models. The first call for a model loads it; concurrent callers share the load.
 * @throws InvalidRequestError if two models share a name
 */
export function createModelRegistry(options: ModelRegistryOptions): ModelRegistry {
  const { logger = silentLogger, idleUnloadMs } = options
  const metrics = createLoadMetrics(options.metrics ?? silentMetrics)
  const slots = new Map<LoadableModel, ModelSlot>()
  const leaving = new Set<Promise<void>>()
  const names = new NamedModels(options.models, {
    logger,
    onGone: (model) => {
      const slot = slots.get(model)
      slots.delete(model)
      if (slot === undefined) return
      const closing = slot[Symbol.asyncDispose]().finally(() => leaving.delete(closing))
      leaving.add(closing)
    },
  })

  const slotOf = (name: string): ModelSlot => {
    const model = names.get(name)
    const known = slots.get(model)
    if (known !== undefined) return known
    const { spec, loaded } = model
    const load = (loadOptions: LoadOptions) => model.load(loadOptions)
    const slotLogger = logger.child({ model: spec.id })
    const slot = new ModelSlot({ spec, loaded, load, logger: slotLogger, metrics, idleUnloadMs })
    slots.set(model, slot)
    return slot
  }
  const load = async (name: string, { signal }: AbortOptions = {}): Promise<ServedModel> => {
    const slot = slotOf(name)
    signal?.throwIfAborted()
    return abortable(slot.get(), signal)
  }

  return {
    list: () => names.specs,
    find: (name) => names.find(name)?.spec,
    load,
    async get(name: string, abort?: AbortOptions): Promise<Model> {
      const model = await load(name, abort)
      if (isRemoteModel(model)) throw withoutTokens(model)
      return model
    },
    peek: (name) => (names.find(name) === undefined ? undefined : slotOf(name).peek()),
    async state(name: string, abort?: AbortOptions): Promise<ModelState> {
      return slotOf(name).state(abort)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...slots.values()].map((slot) => slot[Symbol.asyncDispose]()))
      await Promise.all(leaving)
    },
  }
}

const withoutTokens = ({ id }: ServedModel): InvalidRequestError =>
  new InvalidRequestError(
    `Another server runs the model '${id}', and only that server has its tokens: this call is not supported for it. ` +
      'Use chat completions, completions, messages, responses or embeddings, or a model that this server runs itself.',
    { param: 'model', reason: 'unsupported_value' },
  )
