import { abortable, silentLogger } from '@petals-chat/engine'
import type { DhtNode, PeerId, Published } from '@petals-chat/petals/protocol'
import { expect, it } from 'vitest'
import { Announcer } from './announcer.ts'

const blocks = { start: 0, end: 2 }
const never = new Promise<never>(() => {})

/** An announcer whose announcements arrive, or never end while `hangs` says so. */
function announcerWith(hangs: { store: boolean; describe: boolean }) {
  const stored: number[] = []
  const dht: Pick<DhtNode, 'store' | 'now'> = {
    now: () => 1000,
    async store(records, { signal } = {}): Promise<Published> {
      signal?.throwIfAborted()
      if (hangs.store) await abortable(never, signal)
      stored.push(records.length)
      return { failed: [], nodes: 1 }
    },
  }
  const describe = () => (hangs.describe ? never : Promise.resolve({ throughput: 1, adapters: [] }))
  const model = { dhtPrefix: 'Toy-hf', numBlocks: 2 }
  const announcer = new Announcer({ dht, peer: 'peer' as PeerId, model, describe, logger: silentLogger })
  return { announcer, stored }
}

it.each([
  { store: true, describe: false },
  { store: false, describe: true },
])('an announcement that is late does not hold up the next one (%o)', async (hangs) => {
  const { announcer, stored } = announcerWith(hangs)
  await using _ = announcer
  const online = announcer.announce('online', blocks)
  await new Promise(setImmediate)
  hangs.store = hangs.describe = false
  await announcer.announce('offline', blocks)
  await online
  expect(stored).toEqual([2])
})
