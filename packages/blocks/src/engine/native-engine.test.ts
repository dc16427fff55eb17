import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeTinyModel, randomStates, tiny, type TinyModel } from '../testing/tiny-model.ts'
import { openBlockModel } from '../weights/block-model.ts'
import type { BlockCache, BlockEngine } from './block-engine.ts'
import {
  CacheFullError,
  CacheReclaimedError,
  CacheTooLargeError,
  EngineEndedError,
  InvalidPassError,
} from './errors.ts'
import { startBlockEngine, type NativeBlockEngine } from './native-engine.ts'
import type { BlockEngineOptions } from './options.ts'

const { hidden, blocks } = tiny
const cacheTokens = 4096

let files: TinyModel
let engine: NativeBlockEngine
async function start(options: Partial<BlockEngineOptions> = {}): Promise<NativeBlockEngine> {
  const model = await openBlockModel(files.files)
  return await startBlockEngine({ model, start: 0, end: blocks, cacheType: 'f32', cacheTokens, ...options })
}
beforeAll(async () => {
  files = await makeTinyModel()
  engine = await start()
})
afterAll(async () => {
  await engine[Symbol.asyncDispose]()
  await files[Symbol.asyncDispose]()
})

const open = (maxLength: number, batch = 1, from = engine): Promise<BlockCache> =>
  from.openCache({ start: 0, end: blocks, batch, maxLength, timeoutMs: 0 })
const whole = { start: 0, end: blocks }

function relativeError(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length)
  const norm = (values: Float32Array) => Math.hypot(...values)
  return norm(a.map((value, index) => value - b[index]!)) / norm(b)
}

/** What a session of these states computes without any cache. */
const alone = (states: Float32Array, batch = 1, from: BlockEngine = engine): Promise<Float32Array> =>
  from.forward({ ...whole, batch, tokens: states.length / hidden / batch, states })

const tokenOf = (states: Float32Array, token: number, count = 1): Float32Array =>
  states.slice(token * hidden, (token + count) * hidden)

describe('sessions', () => {
  it('that step at once compute what each computes alone', async () => {
    const lengths = [1, 5, 17, 40, 63, 64, 65, 130]
    await Promise.all(
      lengths.map(async (length, index) => {
        const states = randomStates(100 + index, (length + 6) * hidden)
        await using cache = await open(length + 6)
        await cache.step({ ...whole, batch: 1, tokens: length, states: tokenOf(states, 0, length) })
        const expected = await alone(states)
        for (let token = length; token < length + 6; token++) {
          const output = await cache.step({ ...whole, batch: 1, tokens: 1, states: tokenOf(states, token) })
          expect(relativeError(output, tokenOf(expected, token))).toBeLessThan(1e-5)
        }
        expect(cache.position).toBe(length + 6)
      }),
    )
    expect(engine.cacheTokensLeft).toBe(cacheTokens)
  })

  it('of an owner with all the room end when another one needs some of it', async () => {
    const reclaimed: number[] = []
    const session = (owner: string, maxLength: number, number: number): Promise<BlockCache> =>
      engine.openCache({
        ...{ start: 0, end: blocks, batch: 1, maxLength, timeoutMs: 0, owner },
        onReclaimed: () => reclaimed.push(number),
      })
    await using open = new AsyncDisposableStack()
    const greedy: BlockCache[] = []
    for (let number = 0; number < 8; number++)
      greedy.push(open.use(await session('greedy', cacheTokens / 8, number)))
    const one = { ...whole, batch: 1, tokens: 1, states: randomStates(60, hidden) }
    for (const number of [0, 2, 3, 4, 5, 6, 7, 1]) await greedy[number]!.step(one)
    const modest = open.use(await session('modest', cacheTokens / 4, 8))
    expect(reclaimed).toEqual([0, 2])
    await modest.step(one)
    await greedy[1]!.step(one)
    await expect(greedy[2]!.step(one)).rejects.toThrow(CacheReclaimedError)
  })

  it('exchange their rows by hypo_ids', async () => {
    const [batch, before] = [3, 7]
    const states = randomStates(1, batch * before * hidden)
    const next = randomStates(2, batch * hidden)
    await using cache = await open(32, batch)
    await cache.step({ ...whole, batch, tokens: before, states })
    const hypoIds = [2, 0, 0]
    const output = await cache.step({ ...whole, batch, tokens: 1, states: next, hypoIds })
    const last = await cache.step({ ...whole, batch, tokens: 1, states: next, hypoIds: [1, 2, 0] })
    for (const row of [0, 1, 2]) {
      const history = [...tokenOf(states, hypoIds[row]! * before, before), ...tokenOf(next, row)]
      const expected = await alone(Float32Array.from(history))
      expect(relativeError(tokenOf(output, row), tokenOf(expected, before))).toBeLessThan(1e-5)
      const target = [1, 2, 0].indexOf(row)
      const more = await alone(Float32Array.from([...history, ...tokenOf(next, target)]))
      expect(relativeError(tokenOf(last, target), tokenOf(more, before + 1))).toBeLessThan(1e-5)
    }
  })

  it('get deep prompts in every block', async () => {
    const [batch, tokens, length] = [2, 9, 4]
    const states = randomStates(3, batch * tokens * hidden)
    for (const promptRows of [1, batch]) {
      const values = randomStates(4, blocks * promptRows * length * hidden)
      let expected = states
      for (let block = 0; block < blocks; block++) {
        const input = expected.slice()
        for (let row = 0; row < batch; row++) {
          const first = (block * promptRows + (promptRows === 1 ? 0 : row)) * length * hidden
          for (let index = 0; index < length * hidden; index++)
            input[row * tokens * hidden + index]! += values[first + index]!
        }
        expected = await engine.forward({ start: block, end: block + 1, batch, tokens, states: input })
      }
      const output = await engine.forward({ ...whole, batch, tokens, states, prompts: { length, values } })
      expect(relativeError(output, expected)).toBeLessThan(1e-5)
    }
  })

  it('of a few tokens are computed between the parts of a long pass', async () => {
    await using long = await open(3000)
    await using short = await open(8)
    const order: string[] = []
    const pass = long
      .step({ ...whole, batch: 1, tokens: 3000, states: randomStates(5, 3000 * hidden) })
      .then(() => order.push('long'))
    await short.step({ ...whole, batch: 1, tokens: 1, states: randomStates(6, hidden) })
    order.push('short')
    await pass
    expect(order).toEqual(['short', 'long'])
  })

  it('continue after an aborted step as if it had not been', async () => {
    const states = randomStates(7, 2000 * hidden)
    await using cache = await open(2000)
    await cache.step({ ...whole, batch: 1, tokens: 50, states: tokenOf(states, 0, 50) })
    const abort = new AbortController()
    const reason = new Error('the client has gone')
    const pass = cache.step({
      ...whole,
      batch: 1,
      tokens: 1900,
      states: randomStates(8, 1900 * hidden),
      signal: abort.signal,
    })
    setTimeout(() => abort.abort(reason), 5)
    await expect(pass).rejects.toBe(reason)
    expect(cache.position).toBe(50)
    const output = await cache.step({ ...whole, batch: 1, tokens: 10, states: tokenOf(states, 50, 10) })
    expect(relativeError(output, tokenOf(await alone(tokenOf(states, 0, 60)), 50, 10))).toBeLessThan(1e-5)
  })

  it('are not disturbed by NaN in others, now or in the cells that they get later', async () => {
    const states = randomStates(9, 100 * hidden)
    const expected = await alone(states)
    const bad = new Float32Array(100 * hidden).fill(NaN)
    const caches = await Promise.all(Array.from({ length: 7 }, () => open(512)))
    await Promise.all(caches.map((cache) => cache.step({ ...whole, batch: 1, tokens: 100, states: bad })))
    await using good = await open(101)
    await good.step({ ...whole, batch: 1, tokens: 99, states: tokenOf(states, 0, 99) })
    const [output] = await Promise.all(
      [good, ...caches].map((cache) =>
        cache.step({
          ...whole,
          batch: 1,
          tokens: 1,
          states: cache === good ? tokenOf(states, 99) : tokenOf(bad, 0),
        }),
      ),
    )
    expect(relativeError(output!, tokenOf(expected, 99))).toBeLessThan(1e-5)
    await Promise.all(caches.map((cache) => cache[Symbol.asyncDispose]()))
    await using after = await open(1024)
    const later = await after.step({ ...whole, batch: 1, tokens: 100, states })
    expect(relativeError(later, expected)).toBeLessThan(1e-5)
  })

  it('keep their keys and values when the cache is moved together', async () => {
    const states = randomStates(10, 41 * hidden)
    const expected = await alone(states)
    const caches = await Promise.all(Array.from({ length: 16 }, () => open(256)))
    await Promise.all(
      caches.map((cache) => cache.step({ ...whole, batch: 1, tokens: 40, states: tokenOf(states, 0, 40) })),
    )
    for (let index = 0; index < 16; index += 2) await caches[index]![Symbol.asyncDispose]()
    expect(engine.cacheTokensLeft).toBe(2048)
    await using large = await open(2048)
    const outputs = await Promise.all(
      caches
        .filter((_, index) => index % 2 === 1)
        .map((cache) => cache.step({ ...whole, batch: 1, tokens: 1, states: tokenOf(states, 40) })),
    )
    await large.step({ ...whole, batch: 1, tokens: 41, states })
    for (const output of outputs) expect(relativeError(output, tokenOf(expected, 40))).toBeLessThan(1e-5)
    await Promise.all(caches.map((cache) => cache[Symbol.asyncDispose]()))
  })
})

describe('the room in the cache', () => {
  it('is counted in tokens over all blocks', async () => {
    await using part = await engine.openCache({ start: 1, end: 3, batch: 2, maxLength: 64, timeoutMs: 0 })
    expect(part.position).toBe(0)
    expect(engine.cacheTokensLeft).toBe(cacheTokens - (2 * 64 * 2) / blocks)
  })

  it('is refused in words when there is none, and waited for', async () => {
    await expect(open(cacheTokens + 1)).rejects.toThrow(CacheTooLargeError)
    const first = await open(cacheTokens)
    await expect(open(32)).rejects.toThrow(CacheFullError)
    await expect(
      engine.openCache({ ...whole, batch: 1, maxLength: 32, timeoutMs: 30 }),
    ).rejects.toMatchObject({ needed: 32, free: 0, total: cacheTokens })
    const waiting = engine.openCache({ ...whole, batch: 1, maxLength: 32, timeoutMs: 30_000 })
    await first[Symbol.asyncDispose]()
    await using second = await waiting
    expect(second.position).toBe(0)
  })
})

describe('a pass that does not fit is refused before native code sees it', () => {
  const states = new Float32Array(hidden)
  it.each([
    ['blocks that are not here', { start: 2, end: 9 }],
    ['no blocks', { start: 2, end: 2 }],
    ['no tokens', { tokens: 0 }],
    ['too few states', { tokens: 2 }],
    ['too many tokens', { tokens: 9000, states: new Float32Array(9000 * hidden) }],
    ['long deep prompts', { prompts: { length: 2, values: new Float32Array(2 * blocks * hidden) } }],
    ['short deep prompts', { prompts: { length: 1, values: new Float32Array(3) } }],
  ])('%s', async (_, change) => {
    await expect(engine.forward({ ...whole, batch: 1, tokens: 1, states, ...change })).rejects.toThrow(
      InvalidPassError,
    )
  })

  it.each([
    ['another batch', { batch: 2, states: new Float32Array(2 * hidden) }],
    ['a position ahead', { position: 1 }],
    ['a position before the first', { position: -1 }],
    ['a position between two', { position: 0.5 }],
    ['more than the session was opened for', { tokens: 9, states: new Float32Array(9 * hidden) }],
    ['rows that are not there', { hypoIds: [1] }],
    ['too few rows', { hypoIds: [] }],
  ])('%s', async (_, change) => {
    await using cache = await open(8)
    await expect(cache.step({ ...whole, batch: 1, tokens: 1, states, ...change })).rejects.toThrow(
      InvalidPassError,
    )
    await cache.step({ ...whole, batch: 1, tokens: 1, states })
  })
})

describe('weights', () => {
  it.each([
    ['q8_0', 'q8_0', 0.06],
    ['q4_k', 'q5_0', 0.3],
    ['f16', 'none', 0.002],
    ['bf16', 'none', 0.03],
  ] as const)('are converted to %s while they are loaded', async (weights, quantization, tolerance) => {
    const states = randomStates(11, 40 * hidden)
    await using other = await start({ weights, cacheType: 'f16' })
    expect(other.info.quantization).toBe(quantization)
    const error = relativeError(await alone(states, 1, other), await alone(states))
    expect(error).toBeLessThan(tolerance)
    expect(error).toBeGreaterThan(1e-6)
  })

  it('that do not fit the memory are refused before anything is loaded', async () => {
    await expect(start({ memoryBytes: 70 * 2 ** 20 })).rejects.toThrow(
      /need \d+ MiB of memory, and 70 MiB may be used/,
    )
  })
})

describe('the process that computes', () => {
  it('is started again when it dies in a step: its sessions fail in words, new ones work', async () => {
    await using other = await start()
    const cache = await open(3000, 1, other)
    const pid = other.pid!
    const readiness = [other.isReady]
    other.onReadiness(() => readiness.push(other.isReady))
    const step = cache.step({ ...whole, batch: 1, tokens: 3000, states: randomStates(12, 3000 * hidden) })
    process.kill(pid, 'SIGKILL')
    await expect(step).rejects.toThrow(EngineEndedError)
    await expect(step).rejects.toThrow(/was killed/)
    const states = randomStates(13, 5 * hidden)
    await using next = await other.openCache({ ...whole, batch: 1, maxLength: 8, timeoutMs: 30_000 })
    expect(other.pid).not.toBe(pid)
    const output = await next.step({ ...whole, batch: 1, tokens: 5, states })
    expect(relativeError(output, await alone(states))).toBeLessThan(1e-5)
    await expect(cache.step({ ...whole, batch: 1, tokens: 1, states: tokenOf(states, 0) })).rejects.toThrow(
      /Open the session again/,
    )
    await cache[Symbol.asyncDispose]()
    expect(other.cacheTokensLeft).toBe(cacheTokens - 32)
    expect(readiness).toEqual([true, false, true])
  })

  it('is ended and started again when it answers nothing', async () => {
    await using other = await start({ unresponsiveMs: 1000 })
    await using cache = await open(64, 1, other)
    const pid = other.pid!
    process.kill(pid, 'SIGSTOP')
    const step = cache.step({ ...whole, batch: 1, tokens: 1, states: randomStates(14, hidden) })
    await expect(step).rejects.toThrow(/was ended: it had not answered for 1 s/)
    await using next = await other.openCache({ ...whole, batch: 1, maxLength: 8, timeoutMs: 30_000 })
    expect(other.pid).not.toBe(pid)
    expect(next.position).toBe(0)
  })

  it('is given up when it dies too often', async () => {
    await using other = await start({ maxRestarts: 0 })
    process.kill(other.pid!, 'SIGKILL')
    expect((await other.ended).message).toMatch(/was killed/)
    await expect(open(8, 1, other)).rejects.toThrow(EngineEndedError)
  })

  it('ends with the process that started it, however that one ends', async () => {
    const script = `
      import { startBlockEngine, openBlockModel } from '@petals-chat/blocks'
      import { folderFiles } from ${JSON.stringify(new URL('../testing/tiny-model.ts', import.meta.url).href)}
      const model = await openBlockModel(folderFiles(${JSON.stringify(files.files.description)}))
      const engine = await startBlockEngine({ model, start: 0, end: 1, cacheTokens: 512 })
      console.log(engine.pid)
      setInterval(() => {}, 1000)`
    const parent = spawn(
      process.execPath,
      ['--conditions=petals-chat-source', '--input-type=module-typescript', '-e', script],
      {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expect.poll(() => isAlive(pid)).toBe(false)
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
