import {
  forwardModel,
  forwardSession,
  CapacityError,
  ContextLengthError,
  GenerationFailedError,
  greedy,
  type Model,
  modelSpecSchema,
  type SessionOptions,
  silentLogger,
  silentMetrics,
} from '@petals-chat/engine'
import { ScriptedEngine, type ScriptedEngineOptions } from '@petals-chat/engine/testing'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { gatewayConfigSchema, type SessionPoolConfig } from '../config.ts'
import type { AcquireRequest, EmbeddingModel, SessionLease, SessionPool } from '../context.ts'
import { eventually } from '../fixtures/test-gateway.ts'
import { createPrometheusMetrics } from '../metrics.ts'
import { createSessionPool } from './session-pool.ts'

interface TestPool {
  readonly engine: ScriptedEngine
  readonly model: Model
  readonly pool: SessionPool
  acquire(text: string, request?: Partial<AcquireRequest>): Promise<SessionLease>
  /** Acquires, generates `count` tokens and gives the session back; returns how many tokens were cached. */
  answer(text: string, count?: number, request?: Partial<AcquireRequest>): Promise<number>
}

async function createTestPool(
  script: ScriptedEngineOptions = {},
  config: Partial<SessionPoolConfig> = {},
  metrics = silentMetrics,
): Promise<TestPool> {
  const engine = new ScriptedEngine(script)
  const model = await engine.load(modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }))
  const sessions = gatewayConfigSchema.parse({ sessions: config }).sessions
  const pool = createSessionPool(sessions, { logger: silentLogger, metrics })
  const acquire: TestPool['acquire'] = (text, request) =>
    pool.acquire(model, { tokens: model.tokenizer.encode(text), maxLength: 512, ...request })
  return {
    engine,
    model,
    pool,
    acquire,
    async answer(text, count = 3, request) {
      await using lease = await acquire(text, request)
      const cached = lease.session.tokens.length
      await generate(lease, model.tokenizer.encode(text).slice(cached), count)
      return cached
    },
  }
}

async function generate(
  { session }: SessionLease,
  tokens: readonly number[],
  count: number,
): Promise<number[]> {
  const generated: number[] = []
  for await (const { token } of session.generate(tokens, { sampling: greedy })) {
    if (generated.push(token) === count) break
  }
  return generated
}

describe('createSessionPool', () => {
  it('finds the prompt of the last turn in the cache', async () => {
    const { answer, engine } = await createTestPool()
    expect(await answer('Hello, how are you?')).toBe(0)
    expect(await answer('Hello, how are you? Fine.')).toBe('Hello, how are you?'.length)
    expect(engine.sessionsOpened).toBe(1)
  })

  it('leaves at least one token of the prompt to run', async () => {
    const { answer } = await createTestPool()
    await answer('Hello', 1)
    expect(await answer('Hello', 1)).toBe(4)
    expect(await answer('Hel', 1)).toBe(2)
  })

  it('chooses the session that holds the most of the prompt', async () => {
    const { acquire, answer, model } = await createTestPool()
    const one = await acquire('aaaa')
    const two = await acquire('aabb')
    await generate(one, model.tokenizer.encode('aaaa'), 1)
    await generate(two, model.tokenizer.encode('aabb'), 1)
    await one[Symbol.asyncDispose]()
    await two[Symbol.asyncDispose]()
    expect(await answer('aabbcc')).toBe(4)
    expect(await answer('aaaacc')).toBe(4)
  })

  it('does not cut another dialogue down to a short common start while there is room', async () => {
    const { answer, engine } = await createTestPool({ maxSessions: 2 })
    await answer('A long dialogue about everything', 3)
    expect(await answer('A short one')).toBe(0)
    expect(engine.openSessions).toBe(2)
    expect(await answer('A long dialogue about everything, continued')).toBe(
      'A long dialogue about everything'.length,
    )
  })

  it('closes the session that was idle longest when the engine is full', async () => {
    const { answer, engine } = await createTestPool({ maxSessions: 2 })
    await answer('first dialogue')
    await answer('second, other')
    await answer('third of them')
    expect(engine.openSessions).toBe(2)
    expect(await answer('second, other thing')).toBe('second, other'.length)
    expect(await answer('first dialogue again')).toBe(0)
  })

  it('closes idle sessions, the longest idle first, when an engine asks for room in the middle of an answer', async () => {
    const { model, pool, engine } = await createTestPool()
    let makeRoom: SessionOptions['makeRoom']
    const asking = forwardModel(model, {
      openSession: (options) => {
        makeRoom = options.makeRoom
        return model.openSession(options)
      },
    })
    const acquire = (text: string) =>
      pool.acquire(asking, { tokens: model.tokenizer.encode(text), maxLength: 512 })
    for (let count = 0; count < 8; count++) {
      await using lease = await acquire(`${count} is a dialogue`)
      await generate(lease, model.tokenizer.encode(`${count} is a dialogue`), 1)
    }
    await using running = await acquire('A running answer')
    await generate(running, model.tokenizer.encode('A running answer'), 1)
    expect(await makeRoom!()).toBe(true)
    // Two of eight, and the one that runs.
    expect(engine.openSessions).toBe(7)
    expect((await acquire('7 is a dialogue')).session.tokens).not.toEqual([])
    expect((await acquire('0 is a dialogue')).session.tokens).toEqual([])
    while (await makeRoom!());
    expect(engine.openSessions).toBe(3)
    expect(await makeRoom!()).toBe(false)
  })

  it('closes the longest idle sessions when all of them take more memory than they may', async () => {
    const { model, pool, engine } = await createTestPool({}, { maxIdleBytes: 2500 })
    const heavy = forwardModel(model, {
      openSession: async (options) =>
        forwardSession(await model.openSession(options), { memoryBytes: () => 1000 }),
    })
    const answer = async (text: string): Promise<number> => {
      await using lease = await pool.acquire(heavy, { tokens: model.tokenizer.encode(text), maxLength: 512 })
      const cached = lease.session.tokens.length
      await generate(lease, model.tokenizer.encode(text).slice(cached), 1)
      return cached
    }
    for (const text of ['one dialogue', 'two dialogues', 'three of them']) await answer(text)
    expect(engine.openSessions).toBe(2)
    expect(await answer('two dialogues, again')).toBe('two dialogues'.length)
    expect(await answer('one dialogue, again')).toBe(0)
  })

  it('opens a longer session when the idle one is too short', async () => {
    const { answer, acquire, engine } = await createTestPool({}, { minLength: 16 })
    await answer('Hello, how are', 1, { maxLength: 16 })
    await using lease = await acquire('Hello, how are you?', { maxLength: 40 })
    expect(lease.session.maxLength).toBe(64)
    expect(lease.session.tokens).toEqual([])
    expect(engine.openSessions).toBe(1)
  })

  it('never opens more than the model takes', async () => {
    const { acquire } = await createTestPool({ contextLength: 700 })
    await using lease = await acquire('x', { maxLength: 600 })
    expect(lease.session.maxLength).toBe(700)
    await expect(acquire('x', { maxLength: 701 })).rejects.toThrow(ContextLengthError)
  })

  it('waits in turn when all sessions are in use', async () => {
    // The engine itself would open any number of them.
    const { engine, model, pool } = await createTestPool()
    const bounded = forwardModel(model, { maxSessions: 1 })
    const acquire = (name: string) =>
      pool.acquire(bounded, { tokens: model.tokenizer.encode(name), maxLength: 16 })
    const first = await acquire('a')
    const turns: [string, number][] = []
    const waiting = ['b', 'c'].map(async (name) => {
      await using _lease = await acquire(name)
      turns.push([name, engine.openSessions])
      await nextTurn()
    })
    await nextTurn()
    expect(turns).toEqual([])
    await first[Symbol.asyncDispose]()
    await Promise.all(waiting)
    expect(turns).toEqual([
      ['b', 1],
      ['c', 1],
    ])
  })

  it('learns from the engine that there is less room than it said', async () => {
    const { engine, model, pool } = await createTestPool({ maxSessions: 1 })
    const unbounded = forwardModel(model, { maxSessions: undefined })
    const request = { tokens: [1, 2], maxLength: 16 }
    const first = await pool.acquire(unbounded, request)
    let second: SessionLease | undefined
    const waiting = pool.acquire(unbounded, request).then((lease) => (second = lease))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(second).toBeUndefined()
    await first[Symbol.asyncDispose]()
    await waiting
    expect(second).toBeDefined()
    expect(engine.sessionsOpened).toBe(2)
    await second?.[Symbol.asyncDispose]()
    expect(engine.openSessions).toBe(0)
  })

  it('passes on that the engine is full of the sessions of others', async () => {
    const { model, acquire } = await createTestPool({ maxSessions: 1 })
    await using foreign = await model.openSession({ maxLength: 16 })
    await expect(acquire('a')).rejects.toThrow(CapacityError)
    await foreign[Symbol.asyncDispose]()
    await using lease = await acquire('a')
    expect(lease.session.tokens).toEqual([])
  })

  it('lets a client leave the queue', async () => {
    const { acquire } = await createTestPool({ maxSessions: 1 })
    const first = await acquire('a')
    const controller = new AbortController()
    const waiting = acquire('b', { signal: controller.signal })
    controller.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    await first[Symbol.asyncDispose]()
    await using next = await acquire('c')
    expect(next).toBeDefined()
  })

  it('gives no session back to use after its generation failed, nor those idle beside it', async () => {
    let broken = false
    const { acquire, answer, model, engine } = await createTestPool({
      beforeStep: () => {
        if (broken) throw new GenerationFailedError('the engine crashed')
      },
    })
    await answer('another dialogue')
    const lease = await acquire('Hello')
    broken = true
    await expect(generate(lease, model.tokenizer.encode('Hello'), 1)).rejects.toThrow('crashed')
    await lease[Symbol.asyncDispose]()
    expect(engine.openSessions).toBe(0)
    broken = false
    expect(await answer('Hello')).toBe(0)
  })

  it('keeps a session whose generation was stopped, or refused before it began', async () => {
    const { acquire, answer, model } = await createTestPool()
    const controller = new AbortController()
    const lease = await acquire('Hello')
    const run = async () => {
      const options = { sampling: greedy, signal: controller.signal }
      for await (const _ of lease.session.generate(model.tokenizer.encode('Hello'), options)) {
        controller.abort(new Error('stop'))
      }
    }
    await expect(run()).rejects.toThrow('stop')
    await expect(generate(lease, new Array(600).fill(1), 1)).rejects.toThrow(ContextLengthError)
    await lease[Symbol.asyncDispose]()
    expect(await answer('Hello again')).toBe(5)
  })

  it.each([
    ['a key', 'key:one', 'key:two', false, 0],
    ['an address', 'address:192.0.2.1', 'address:192.0.2.2', false, 0],
    ['an address that shares', 'address:192.0.2.1', 'address:192.0.2.2', true, 8],
    ['a key where addresses share', 'address:192.0.2.1', 'key:two', true, 0],
  ])(
    'lends the KV cache of %s as its owner and the config allow',
    async (_name, first, second, shareCaches, cached) => {
      const { answer } = await createTestPool({}, { shareCaches })
      await answer('12345678', 1, { account: first })
      expect(await answer('12345678 and more', 1, { account: second })).toBe(cached)
      expect(await answer('12345678 and more', 1, { account: first })).toBeGreaterThan(0)
    },
  )

  it('keeps sessions of an owner for that owner', async () => {
    const { answer, pool, engine } = await createTestPool()
    const owner = {}
    await answer('Hello', 3, { owner })
    expect(await answer('Hello you')).toBe(0)
    expect(await answer('Hello you', 3, { owner: {} })).toBe(0)
    expect(await answer('Hello again', 3, { owner })).toBe(5)
    await pool.closeOwned(owner)
    expect(await answer('Hello again', 3, { owner })).toBe(0)
    expect(engine.openSessions).toBe(3)
  })

  it('lets the sessions of an owner make room for others', async () => {
    const { answer, engine } = await createTestPool({ maxSessions: 1 })
    await answer('Hello', 3, { owner: {} })
    expect(await answer('Hello')).toBe(0)
    expect(engine.openSessions).toBe(1)
  })

  it('closes sessions whose client does not come back', async () => {
    const { answer, engine } = await createTestPool({}, { idleTimeoutMs: 20 })
    await answer('Hello')
    expect(engine.openSessions).toBe(1)
    await eventually(() => engine.openSessions === 0)
  })

  it('closes the session of a holder who wants that, or who leaves while it still works', async () => {
    const { acquire, engine, model } = await createTestPool({ stepDelayMs: 10_000 })
    const closed = await acquire('Hello')
    await closed.session[Symbol.asyncDispose]()
    await closed[Symbol.asyncDispose]()
    const busy = await acquire('Hello')
    const unfinished = expect(generate(busy, model.tokenizer.encode('Hello'), 1)).rejects.toThrow()
    await busy[Symbol.asyncDispose]()
    await unfinished
    expect(engine.openSessions).toBe(0)
  })

  it('refuses a session whose lease has ended', async () => {
    const { acquire, model } = await createTestPool()
    const lease = await acquire('Hello')
    await lease[Symbol.asyncDispose]()
    await expect(generate(lease, model.tokenizer.encode('Hello'), 1)).rejects.toThrow('lease has ended')
    await expect(lease.session.truncate(0)).rejects.toThrow('lease has ended')
  })

  it('gives a lease back only once', async () => {
    const { acquire, answer } = await createTestPool({ maxSessions: 1 })
    const lease = await acquire('Hello')
    await Promise.all([lease[Symbol.asyncDispose](), lease[Symbol.asyncDispose]()])
    await answer('a')
    const holder = await acquire('b')
    await lease[Symbol.asyncDispose]()
    let second = false
    const waiting = acquire('c').then((next) => {
      second = true
      return next
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(second).toBe(false)
    await holder[Symbol.asyncDispose]()
    await (await waiting)[Symbol.asyncDispose]()
  })

  it('closes everything with the pool, leased sessions when they come back', async () => {
    const { acquire, answer, pool, engine } = await createTestPool()
    await answer('idle')
    const lease = await acquire('leased')
    await pool[Symbol.asyncDispose]()
    expect(engine.openSessions).toBe(1)
    await lease[Symbol.asyncDispose]()
    expect(engine.openSessions).toBe(0)
    await expect(acquire('late')).rejects.toThrow('closed')
  })

  it('measures tokens, times, queue and sessions', async () => {
    const metrics = createPrometheusMetrics()
    const { answer } = await createTestPool({}, {}, metrics)
    await answer('Hello', 4)
    await answer('Hello you', 2)
    const { body } = await metrics.render()
    expect(body).toContain('petals_chat_tokens_total{model="test",kind="prompt"} 14')
    expect(body).toContain('petals_chat_tokens_total{model="test",kind="cached"} 5')
    expect(body).toContain('petals_chat_tokens_total{model="test",kind="generated"} 6')
    expect(body).toContain('petals_chat_time_to_first_token_seconds_count{model="test"} 2')
    expect(body).toContain('petals_chat_time_per_output_token_seconds_count{model="test"} 2')
    expect(body).toContain('petals_chat_queue_wait_seconds_count{model="test"} 2')
    expect(body).toContain('petals_chat_sessions{model="test",state="leased"} 0')
    expect(body).toContain('petals_chat_sessions{model="test",state="idle"} 1')
    expect(body).toContain('petals_chat_queue_length{model="test"} 0')
  })

  it('lets clients embed in turns, however many texts each of them has', async () => {
    const { pool, model } = await createTestPool()
    const order: string[] = []
    const embedding = forwardModel(model, {
      async embed() {
        await new Promise(setImmediate)
        return new Float32Array(1)
      },
    }) as EmbeddingModel
    const embedAll = async (client: string, count: number) => {
      for (let text = 0; text < count; text++) {
        await pool.embed(embedding, [1], { account: client, isContinued: text > 0 })
        order.push(client)
      }
    }
    const greedy = [1, 2, 3].map(() => embedAll('greedy', 50))
    await eventually(() => order.length > 5)
    const before = order.length
    await embedAll('modest', 5)
    expect(order.slice(before).filter((client) => client === 'greedy').length).toBeLessThan(20)
    await Promise.all(greedy)
    expect(order).toHaveLength(155)
  })
})
