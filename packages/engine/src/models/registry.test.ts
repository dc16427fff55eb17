import { setTimeout } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Engine, LoadOptions } from '../engine.ts'
import { InvalidRequestError, ModelNotFoundError, ModelUnavailableError } from '../errors.ts'
import { silentLogger, type Logger } from '../logger.ts'
import { ScriptedEngine, type ScriptedEngineOptions } from '../testing/scripted-engine.ts'
import type { ModelRegistry } from './model-registry.ts'
import { modelSpecSchema, type ModelSpecInput } from './model-spec.ts'
import { loadableModel } from './loadable-model.ts'
import { createModelRegistry, type ModelRegistryOptions } from './registry.ts'

const spec = (overrides: Partial<ModelSpecInput> = {}) =>
  modelSpecSchema.parse({ id: 'a', aliases: ['alias-of-a'], engine: 'llama', source: 'none', ...overrides })

function open(engineOptions: ScriptedEngineOptions = {}, options: Partial<ModelRegistryOptions> = {}) {
  const engine = new ScriptedEngine(engineOptions)
  const specs = [spec(), spec({ id: 'b', aliases: [] })]
  const registry = createModelRegistry({
    models: specs.map((each) => loadableModel(each, engine)),
    ...options,
  })
  return { engine, registry, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() }
}

/** A load that waits until it is released. */
function gate() {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  return { beforeLoad: () => promise, resolve, reject }
}

const isReady = async (registry: ModelRegistry, name: string) =>
  (await registry.state(name)).state === 'ready'

describe('createModelRegistry: names', () => {
  it('finds models by id and by alias', async () => {
    await using opened = open()
    const { registry } = opened
    expect(registry.list().map(({ id }) => id)).toEqual(['a', 'b'])
    expect(registry.find('alias-of-a')?.id).toBe('a')
    expect(registry.find('c')).toBeUndefined()
    expect(await registry.get('alias-of-a')).toBe(await registry.get('a'))
  })

  it('calls the load function of a model as its method', async () => {
    class Loadable {
      readonly spec = spec()
      readonly #engine = new ScriptedEngine()
      load(options: LoadOptions) {
        return this.#engine.load(this.spec, options)
      }
    }
    await using registry = createModelRegistry({ models: [new Loadable()] })
    expect((await registry.get('a')).id).toBe('a')
  })

  it('lists the known models when asked for an unknown one', async () => {
    await using opened = open()
    const { registry } = opened
    await expect(registry.get('c')).rejects.toThrow(ModelNotFoundError)
    await expect(registry.get('c')).rejects.toThrow(/'c' does not exist here. Models of this server: a, b/)
    await expect(registry.state('__proto__')).rejects.toThrow(ModelNotFoundError)
    expect(registry.peek('c')).toBeUndefined()
  })

  it('refuses two models with the same name', () => {
    const create = (...specs: ReturnType<typeof spec>[]) =>
      createModelRegistry({ models: specs.map((each) => loadableModel(each, new ScriptedEngine())) })
    expect(() => create(spec(), spec({ aliases: [] }))).toThrow(/'a' is not unique: 'a' and 'a' both have it/)
    expect(() => create(spec(), spec({ id: 'b', aliases: ['a'] }))).toThrow(
      /'a' is not unique: 'a' and 'b' both have it/,
    )
    expect(() => create(spec({ aliases: ['x', 'x'] }))).toThrow(/'x' is not unique: 'a' lists it twice/)
    expect(() => create(spec(), spec())).toThrow(InvalidRequestError)
  })
})

describe('createModelRegistry: loading', () => {
  it('loads at the first get, once for all waiting callers', async () => {
    await using opened = open()
    const { engine, registry } = opened
    expect(registry.peek('a')).toBeUndefined()
    expect(engine.loads).toBe(0)
    const [first, second] = await Promise.all([registry.get('a'), registry.get('a')])
    expect(second).toBe(first)
    expect(registry.peek('a')).toBe(first)
    expect(engine.loads).toBe(1)
    expect((await registry.get('b')).id).toBe('b')
  })

  it('reports the progress of a load, and then the model’s own state', async () => {
    const { beforeLoad, resolve } = gate()
    const progress = { phase: 'download', label: 'model.gguf', done: 5, total: 10, unit: 'bytes' } as const
    await using opened = open({
      beforeLoad: (_spec, { onProgress }) => {
        onProgress?.(progress)
        return beforeLoad()
      },
      status: () => ({ state: 'degraded', detail: 'slow' }),
    })
    const { registry } = opened
    expect(await registry.state('a')).toEqual({ state: 'idle' })
    const loading = registry.get('a')
    await vi.waitFor(async () => expect(await registry.state('a')).toEqual({ state: 'loading', progress }))
    resolve()
    await loading
    expect(await registry.state('a')).toEqual({ state: 'degraded', detail: 'slow' })
    expect(await registry.state('b')).toEqual({ state: 'idle' })
  })

  it('continues a load for the other callers when one gives up', async () => {
    const { beforeLoad, resolve } = gate()
    await using opened = open({ beforeLoad })
    const { engine, registry } = opened
    const controller = new AbortController()
    const impatient = registry.get('a', { signal: controller.signal })
    const patient = registry.get('a')
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(impatient).rejects.toBe(reason)
    resolve()
    expect((await patient).id).toBe('a')
    expect(engine.loads).toBe(1)
  })

  it('does not start a load for a caller that has already given up', async () => {
    await using opened = open()
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(opened.registry.get('a', { signal })).rejects.toBe(signal.reason)
    expect(opened.engine.loads).toBe(0)
  })

  it('rejects all waiting callers when a load fails, and tries again at the next get', async () => {
    const failure = new ModelUnavailableError('The disk is full. Free 100 MB.')
    let fail = true
    await using opened = open({
      beforeLoad: () => {
        if (fail) throw failure
      },
    })
    const { registry } = opened
    const both = await Promise.allSettled([registry.get('a'), registry.get('a')])
    expect(both.map((result) => result.status === 'rejected' && result.reason)).toEqual([failure, failure])
    expect(await registry.state('a')).toEqual({ state: 'unavailable', detail: failure.message })
    fail = false
    expect((await registry.get('a')).id).toBe('a')
    expect(await isReady(registry, 'a')).toBe(true)
  })

  it('pauses between loads that fail one after another; requests meanwhile get the last error', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0)
    const failure = new ModelUnavailableError('The disk is full. Free 100 MB.')
    let fail = true
    await using opened = open({
      beforeLoad: () => {
        if (fail) throw failure
      },
    })
    const { registry, engine } = opened
    try {
      const attempt = () => registry.get('a').catch((error: unknown) => error)
      for (let request = 0; request < 10; request++) expect(await attempt()).toBe(failure)
      // The second attempt follows at once: the cause may have been temporary.
      expect(engine.loads).toBe(2)
      clock.mockReturnValue(1001)
      for (let request = 0; request < 10; request++) expect(await attempt()).toBe(failure)
      expect(engine.loads).toBe(3)
      clock.mockReturnValue(60_000)
      fail = false
      expect(await attempt()).toMatchObject({ id: 'a' })
    } finally {
      clock.mockRestore()
    }
  })

  it('hides unexpected errors from clients, but not from the log', async () => {
    const bug = new TypeError("Cannot read properties of undefined (reading '/secret/path')")
    const error = vi.fn()
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error, child: () => logger }
    await using opened = open({ beforeLoad: () => Promise.reject(bug) }, { logger })
    const thrown = await opened.registry.get('a').catch((reason: unknown) => reason)
    expect(thrown).toBeInstanceOf(ModelUnavailableError)
    expect((thrown as Error).message).not.toContain('secret')
    expect((thrown as Error).cause).toBe(bug)
    expect(error).toHaveBeenCalledWith({ err: bug }, expect.stringContaining("'a' could not be loaded"))
  })

  it('counts loads', async () => {
    const observe = vi.fn()
    const set = vi.fn()
    const metrics = {
      counter: () => ({ add: vi.fn() }),
      gauge: () => ({ set }),
      histogram: () => ({ observe }),
    }
    await using opened = open({}, { metrics })
    await opened.registry.get('a')
    expect(observe).toHaveBeenCalledExactlyOnceWith(expect.any(Number), { model: 'a', outcome: 'ok' })
    expect(set).toHaveBeenLastCalledWith(1, { model: 'a' })
    await opened.registry[Symbol.asyncDispose]()
    expect(set).toHaveBeenLastCalledWith(0, { model: 'a' })
  })
})

describe('createModelRegistry: unloading', () => {
  it('unloads all models with the registry, and ends running loads', async () => {
    const opened = open({
      beforeLoad: ({ id }) => (id === 'b' ? setTimeout(60_000, undefined, { ref: false }) : undefined),
    })
    const { registry } = opened
    const model = await registry.get('a')
    const loading = registry.get('b')
    const outcome = expect(loading).rejects.toThrow(/shutting down/)
    await registry[Symbol.asyncDispose]()
    await outcome
    expect((await model.status()).state).toBe('unavailable')
    await expect(registry.get('a')).rejects.toThrow(/shutting down/)
  })

  it('unloads an idle model, but not one with an open session', async () => {
    await using opened = open({}, { idleUnloadMs: 30 })
    const { engine, registry } = opened
    const model = await registry.get('a')
    const session = await model.openSession({ maxLength: 32 })
    await setTimeout(80)
    expect(registry.peek('a')).toBe(model)
    expect(await registry.get('a')).toBe(model)

    await session[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
    await vi.waitFor(() => expect(registry.peek('a')).toBeUndefined())
    expect((await model.status()).state).toBe('unavailable')
    expect(await registry.state('a')).toEqual({ state: 'idle' })

    const again = await registry.get('a')
    expect(again).not.toBe(model)
    expect(engine.loads).toBe(2)
    await again.embed?.([1, 2])
    await vi.waitFor(() => expect(registry.peek('a')).toBeUndefined())
  })

  it('waits until a model is unloaded before it loads it again', async () => {
    const order: string[] = []
    const scripted = new ScriptedEngine()
    const engine: Engine = {
      name: 'llama',
      async load(modelSpec, options) {
        order.push('load')
        const model = await scripted.load(modelSpec, options)
        const dispose = async () => {
          await setTimeout(30)
          order.push('unloaded')
        }
        return Object.assign(Object.create(model) as typeof model, { [Symbol.asyncDispose]: dispose })
      },
      [Symbol.asyncDispose]: () => scripted[Symbol.asyncDispose](),
    }
    await using registry = createModelRegistry({
      models: [loadableModel(spec(), engine)],
      idleUnloadMs: 5,
    })
    await registry.get('a')
    await vi.waitFor(() => expect(registry.peek('a')).toBeUndefined())
    await registry.get('a')
    expect(order).toEqual(['load', 'unloaded', 'load'])
  })
})

it('stops a load at its end without an error in the log', async () => {
  const lines: string[] = []
  const log = (level: string) => (_: object, message: string) => void lines.push(`${level}: ${message}`)
  const logger: Logger = { ...silentLogger, info: log('info'), error: log('error'), child: () => logger }
  const begun = Promise.withResolvers<void>()
  const beforeLoad = (_: unknown, { signal }: LoadOptions) => {
    begun.resolve()
    return new Promise<void>((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)))
  }
  const { registry } = open({ beforeLoad }, { logger })
  const loading = registry.get('a')
  loading.catch(() => {})
  await begun.promise
  await registry[Symbol.asyncDispose]()
  await expect(loading).rejects.toThrow(/shutting down/)
  expect(lines).toEqual(['info: loading the model', 'info: the load was stopped, because the server stops'])
})
