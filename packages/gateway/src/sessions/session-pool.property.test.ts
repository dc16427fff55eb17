import {
  forwardModel,
  forwardSession,
  CapacityError,
  GenerationFailedError,
  greedy,
  type Model,
  modelSpecSchema,
  silentLogger,
  silentMetrics,
  type TokenId,
} from '@petals-chat/engine'
import { ScriptedEngine } from '@petals-chat/engine/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { gatewayConfigSchema } from '../config.ts'
import type { SessionLease, SessionPool } from '../context.ts'
import { createSessionPool } from './session-pool.ts'

interface Client {
  /** Few letters, so that prompts share beginnings. */
  readonly prompt: string
  readonly maxLength: number
  readonly owner: object | undefined
  readonly tokens: number
  readonly fate: 'finish' | 'abort' | 'fail' | 'close'
}

const owners = [{}, {}]

const clientArbitrary: fc.Arbitrary<Client> = fc.record({
  prompt: fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 6 }),
  maxLength: fc.constantFrom(16, 100),
  owner: fc.constantFrom(undefined, undefined, ...owners),
  tokens: fc.nat(3),
  fate: fc.constantFrom('finish', 'finish', 'abort', 'fail', 'close'),
})

const limitsArbitrary = fc.record({
  maxSessions: fc.integer({ min: 1, max: 4 }),
  queueLength: fc.nat(8),
  /** Whether the pool has to find the bound out by running into it. */
  secretive: fc.boolean(),
})

class AbortedByTest extends Error {}

/** A pool whose clients, and whose engine's answers, come in any order that the scheduler thinks of. */
class World {
  readonly #scheduler: fc.Scheduler
  readonly #held = new Set<readonly TokenId[]>()
  readonly #faulty = new Set<readonly TokenId[]>()
  readonly #broken = new Set<readonly TokenId[]>()
  readonly #lastOwner = new Map<readonly TokenId[], object | undefined>()
  readonly #maxSessions: number
  readonly engine: ScriptedEngine
  readonly pool: SessionPool
  #model: Model | undefined

  constructor(
    scheduler: fc.Scheduler,
    { maxSessions, queueLength }: { maxSessions: number; queueLength: number },
  ) {
    this.#scheduler = scheduler
    this.#maxSessions = maxSessions
    this.engine = new ScriptedEngine({ maxSessions, beforeStep: () => this.#pause('step') })
    const { sessions } = gatewayConfigSchema.parse({ sessions: { queueLength, minLength: 16 } })
    this.pool = createSessionPool(sessions, { logger: silentLogger, metrics: silentMetrics })
  }

  async load(secretive: boolean): Promise<void> {
    const real = await this.engine.load(
      modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }),
    )
    this.#model = forwardModel(real, {
      ...(secretive && { maxSessions: undefined }),
      openSession: async (options) => {
        await this.#pause('open')
        const session = await real.openSession(options)
        return forwardSession(session, {
          generate: (tokens, options) => {
            if (this.#faulty.delete(session.tokens)) {
              this.#broken.add(session.tokens)
              throw new GenerationFailedError('a fault of the test')
            }
            return session.generate(tokens, options)
          },
          truncate: async (length, options) => {
            await this.#pause('truncate')
            await session.truncate(length, options)
          },
          [Symbol.asyncDispose]: async () => {
            await this.#pause('close')
            await session[Symbol.asyncDispose]()
          },
        })
      },
    })
  }

  async run(client: Client): Promise<void> {
    const controller = new AbortController()
    await this.#pause('arrive')
    if (client.fate === 'abort') void this.#pause('abort').then(() => controller.abort(new AbortedByTest()))
    try {
      await using lease = await this.acquire(client, controller.signal)
      await this.#use(lease, client, controller.signal)
      this.#held.delete(lease.session.tokens)
    } catch (error) {
      const expected =
        // All sessions are the pool's own: the engine's refusal must never come through.
        (error instanceof CapacityError && error.message.includes('queue is full')) ||
        (error instanceof AbortedByTest && client.fate === 'abort') ||
        (error instanceof GenerationFailedError && client.fate === 'fail')
      if (!expected) throw error
    }
    if (client.fate === 'close' && client.owner !== undefined) await this.pool.closeOwned(client.owner)
  }

  async acquire({ prompt, maxLength, owner }: Client, signal?: AbortSignal): Promise<SessionLease> {
    const tokens = this.#model!.tokenizer.encode(prompt)
    const lease = await this.pool.acquire(this.#model!, { tokens, maxLength, owner, signal })
    const cached = lease.session.tokens
    expect(this.#held.has(cached), 'a session has two holders').toBe(false)
    expect(this.#broken.has(cached), 'a broken session is lent').toBe(false)
    this.#held.add(cached)
    expect(this.#held.size).toBeLessThanOrEqual(this.#maxSessions)
    expect(cached.length).toBeLessThan(tokens.length)
    expect(cached).toEqual(tokens.slice(0, cached.length))
    expect(lease.session.maxLength).toBeGreaterThanOrEqual(maxLength)
    if (cached.length > 0) expect(this.#lastOwner.get(cached)).toBe(owner)
    this.#lastOwner.set(cached, owner)
    return lease
  }

  async #use(
    { session }: SessionLease,
    { prompt, tokens, fate }: Client,
    signal: AbortSignal,
  ): Promise<void> {
    const cached = session.tokens
    if (fate === 'fail') this.#faulty.add(cached)
    const inputs = this.#model!.tokenizer.encode(prompt).slice(cached.length)
    let count = 0
    try {
      if (tokens === 0) return
      for await (const _ of session.generate(inputs, { sampling: greedy, signal })) {
        expect(cached).toEqual(session.tokens)
        expect(cached.length).toBe(prompt.length + count)
        if (++count === tokens) break
      }
    } finally {
      this.#faulty.delete(cached)
      this.#held.delete(cached)
    }
  }

  release(lease: SessionLease): Promise<void> {
    this.#held.delete(lease.session.tokens)
    return Promise.resolve(lease[Symbol.asyncDispose]())
  }

  #pause(label: string): Promise<void> {
    return this.#scheduler.schedule(Promise.resolve(), label).then(() => {})
  }
}

it('never lends a session twice, loses one, or strands a permit, in any order of events', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      limitsArbitrary,
      fc.array(clientArbitrary, { minLength: 1, maxLength: 12 }),
      async (scheduler, { secretive, ...limits }, clients) => {
        const world = new World(scheduler, limits)
        await world.load(secretive)
        await scheduler.waitFor(Promise.all(clients.map((client) => world.run(client))))

        // As many places as ever are free again.
        const fresh: Client = { prompt: 'bab', maxLength: 16, owner: undefined, tokens: 0, fate: 'finish' }
        const places = Array.from({ length: limits.maxSessions }, () => world.acquire(fresh))
        const leases = await scheduler.waitFor(Promise.all(places))
        await scheduler.waitFor(Promise.all(leases.map((lease) => world.release(lease))))
        await scheduler.waitFor(Promise.resolve(world.pool[Symbol.asyncDispose]()))
        expect(world.engine.openSessions).toBe(0)
      },
    ),
    { numRuns: 300 },
  )
})
