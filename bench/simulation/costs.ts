import v8 from 'node:v8'
import vm from 'node:vm'
import { createBlockDirectory } from '../../packages/petals/src/blocks/block-directory.ts'
import type { DhtClient } from '../../packages/petals/src/dht/dht-client.ts'
import { createRouter } from '../../packages/petals/src/routing/swarm-router.ts'
import { median, quantile, rounded } from '../support/statistics.ts'
import { dhtPrefix, numBlocks, World } from './world.ts'

v8.setFlagsFromString('--expose-gc')
const collectGarbage = vm.runInNewContext('gc') as () => void

const never = 2_000_000_000
const searches = 200
/** Bytes that the peer ids and announcements take are counted, since the directory keeps them; those of the DHT are not. */
function heldBytes(): number {
  for (let i = 0; i < 3; i++) collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const cpuMs = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000

/** Measures what a router costs: CPU milliseconds of a search and of an answer of the DHT, bytes for each server. */
export async function routingCosts(servers: number) {
  const world = new World({ seed: 1, servers, liars: 0.05, churn: false })
  const dht: DhtClient = {
    getMany: () => Promise.resolve(world.dht),
    hasAnswered: () => true,
    now: () => world.time,
    ping: () => Promise.resolve(50),
  }
  await measure(dht, 3) // compiles
  const before = heldBytes()
  const measured = await measure(dht, searches)
  const bytes = heldBytes() - before
  await measured.close()
  return {
    servers,
    'search, ms': rounded(median(measured.ms), 3),
    'p95, ms': rounded(quantile(measured.ms, 0.95), 3),
    'first search after an answer of the DHT, ms': rounded(measured.firstMs, 1),
    'answer of the DHT, ms': rounded(measured.updateMs, 1),
    'bytes a server': Math.round(bytes / servers),
  }
}

async function measure(dht: DhtClient, count: number) {
  const directory = createBlockDirectory({ dht, dhtPrefix, numBlocks, updateIntervalMs: never })
  const times = { banTimeoutMs: 15_000, pingTimeoutMs: 2000, updateIntervalMs: never }
  const router = createRouter({ directory, dht, maxPinged: 3, ...times })
  const timed = async (action: () => Promise<unknown>): Promise<number> => {
    const begin = process.cpuUsage()
    await action()
    return cpuMs(process.cpuUsage(begin))
  }
  const find = (): Promise<unknown> => router.route({ start: 0, end: numBlocks }, { cacheTokens: 500 })
  const updateMs = await timed(() => directory.refresh())
  const firstMs = await timed(find)
  const ms: number[] = []
  for (let i = 0; i < count; i++) {
    ms.push(await timed(find))
    // Every tenth answer comes with measurements of a new session.
    if (i % 10 > 0) continue
    for (const { peer, start, end } of await router.route({ start: 0, end: numBlocks }))
      router.reportStep({ peer, session: `${i}`, blocks: end - start, ms: 200, tokenMs: 800 })
  }
  const close = async (): Promise<void> => {
    await router[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
  }
  return { ms, firstMs, updateMs, close }
}
