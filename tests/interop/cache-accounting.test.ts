import { greedy, type Session } from '@petals-chat/engine'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openCacheReader, type CacheReader } from './support/cache-tokens.ts'
import { cancelGenerations } from './support/cancelled-generations.ts'
import { startSwarmEngine, type SwarmEngine } from './support/swarm-engine.ts'

const generations = 200
const atOnce = 8

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

it(`frees the servers' KV caches after ${generations} cancelled generations, ${atOnce} at a time`, async () => {
  const { start, taken, least, end, returnMs } = await cancelGenerations(subject.model, cache, {
    generations,
    atOnce,
  })
  for (const free of start) expect(free).toBeGreaterThan(0)
  expect(taken).toHaveLength(generations)
  expect(taken.filter((count) => count > 0).length).toBeGreaterThan(generations / 4)
  expect(least, 'sessions must use KV cache while they run').toBeLessThan(Math.min(...start))
  console.log(
    `KV cache back at ${start.join(' and ')} tokens ${Math.round(returnMs)} ms after the last cancel`,
  )
  expect(end).toEqual(start)
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
