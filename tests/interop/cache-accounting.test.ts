import { setTimeout as delay } from 'node:timers/promises'
import { greedy, type Session } from '@petals-chat/engine'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { seededBits } from '../../packages/petals/src/sampling/random.ts'
import { openCacheReader, type CacheReader } from './support/cache-tokens.ts'
import { startSwarmEngine, type SwarmEngine } from './support/swarm-engine.ts'

const generations = 200
const atOnce = 8

/** The goal is 2 s. The test machine may be busy. */
const maxReturnMs = 10_000

let subject: SwarmEngine
let cache: CacheReader
beforeAll(async () => {
  subject = await startSwarmEngine({ model: 'random-llama' }, { prefillChunkTokens: 32 })
  cache = await openCacheReader(subject.swarm.servers)
})
afterAll(async () => {
  await cache?.[Symbol.asyncDispose]()
  await subject?.[Symbol.asyncDispose]()
})

/** Starts an answer to a prompt of random length, and cancels it at a random moment: while sessions open, in prefill or later. */
async function cancelSomewhere(random: () => number): Promise<number> {
  const tokens = Array.from({ length: 1 + Math.floor(random() * 200) }, (_, i) => 100 + i)
  const abort = new AbortController()
  const isEarly = random() < 0.4
  const tokensBefore = isEarly ? Infinity : 1 + Math.floor(random() * 6)
  const timer = isEarly ? setTimeout(() => abort.abort(), random() * 60) : undefined
  await using session = await subject.model.openSession({ maxLength: 300 })
  let taken = 0
  try {
    for await (const _ of session.generate(tokens, { sampling: greedy, signal: abort.signal })) {
      // During the next step.
      if (++taken === tokensBefore) setTimeout(() => abort.abort(), random() * 10)
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
  return taken
}

it(`frees the servers' KV caches after ${generations} cancelled generations, ${atOnce} at a time`, async () => {
  const bits = seededBits(4)
  const random = (): number => bits() / 2 ** 32
  const start = await cache.read()
  for (const free of start) expect(free).toBeGreaterThan(0)

  let begun = 0
  let least = Infinity
  const taken: number[] = []
  const worker = async (): Promise<void> => {
    while (begun++ < generations) taken.push(await cancelSomewhere(random))
  }
  const watch = async (): Promise<void> => {
    while (taken.length < generations / 2) least = Math.min(least, ...(await cache.read()))
  }
  await Promise.all([watch(), ...Array.from({ length: atOnce }, worker)])
  expect(taken).toHaveLength(generations)
  expect(taken.filter((count) => count > 0).length).toBeGreaterThan(generations / 4)
  expect(least, 'sessions must use KV cache while they run').toBeLessThan(Math.min(...start))

  const endedAt = performance.now()
  let free = await cache.read()
  while (free.join() !== start.join() && performance.now() - endedAt < maxReturnMs) {
    await delay(20)
    free = await cache.read()
  }
  const returnMs = performance.now() - endedAt
  console.log(
    `KV cache back at ${start.join(' and ')} tokens ${Math.round(returnMs)} ms after the last cancel`,
  )
  expect(free).toEqual(start)
})

it('finds room on full servers once idle sessions of this client are closed', async () => {
  const idle: Session[] = []
  let closed = 0
  const makeRoom = async (): Promise<boolean> => {
    const oldest = idle.shift()
    await oldest?.[Symbol.asyncDispose]()
    if (oldest) closed += 1
    return oldest !== undefined
  }
  // Together they are twice what a server has room for.
  const [free = 0] = await cache.read()
  const maxLength = 2000
  const count = Math.ceil((2 * free) / maxLength)
  try {
    for (let i = 0; i < count; i++) {
      const session = await subject.model.openSession({ maxLength, makeRoom })
      idle.push(session)
      for await (const _ of session.generate([100, 101, 102], { sampling: greedy })) break
      expect(session.tokens.length).toBeGreaterThan(2)
    }
    expect(closed).toBeGreaterThan(0)
  } finally {
    await Promise.all(idle.map((session) => session[Symbol.asyncDispose]()))
  }
})
