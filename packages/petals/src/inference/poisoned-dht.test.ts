import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { unixSeconds } from '../testing/dht-node.ts'
import { dhtPrefix, FakeSwarm } from '../testing/fake-swarm.ts'
import { announcement, forgedPeer } from '../testing/poisoned-swarm.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { Float, Tuple, type MsgpackInput } from '../wire/msgpack-values.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
  await swarm.addServer(0, 3)
  await swarm.addServer(3, 6)
})
afterEach(() => swarm[Symbol.asyncDispose]())

async function expectRouteAndAnswer(): Promise<void> {
  const client = await swarm.connect()
  const session = client.openSession()
  const inputs = swarm.inputs(5)
  expect((await session.step(inputs)).data).toEqual(swarm.expected(inputs))
  expect(session.route.map(({ peer }) => peer)).toEqual(swarm.servers.map(({ id }) => id))
}

const poison: Readonly<Record<string, MsgpackInput>> = {
  'throughput NaN': announcement(NaN),
  'throughput 1e308': announcement(1e308),
  'throughput -1': announcement(-1),
  'inference_rps 1e308': announcement(1, { inference_rps: new Float(1e308) }),
  'start after end': announcement(1, { start_block: 5, end_block: 2 }),
  'an end beyond the model': announcement(1, { end_block: 1000 }),
  'an unknown state': new Tuple([77, new Float(1), new Map()]),
  'text instead of a tuple': 'ServerInfo',
  'nothing instead of a tuple': null,
  'a map with __proto__': new Map([['__proto__', new Map([['state', 2]])]]),
  'thousands of pings': announcement(1, {
    next_pings: new Map(Array.from({ length: 5000 }, (_, i) => [forgedPeer(i), new Float(0)])),
  }),
  'thousands of adapters': announcement(1, {
    adapters: new Tuple(Array.from({ length: 20_000 }, () => 'x')),
  }),
  'a name of a megabyte': announcement(1, { public_name: 'x'.repeat(1_000_000) }),
}

describe('nonsensical records', () => {
  it('are ignored, all kinds at once', async () => {
    Object.values(poison).forEach((value, i) => {
      for (let block = 0; block < 2; block++) swarm.dht.store(`${dhtPrefix}.${block}`, forgedPeer(i), value)
    })
    await expectRouteAndAnswer()
  })

  it('are ignored if they are not msgpack, nested too deep, expired, or never expire', async () => {
    const key = `${dhtPrefix}.0`
    const soon = unixSeconds() + 240
    swarm.dht.storeBytes(key, forgedPeer(1), Uint8Array.of(0xc1), soon)
    swarm.dht.storeBytes(key, forgedPeer(2), new Uint8Array(10_000).fill(0x91), soon)
    swarm.dht.storeBytes(key, forgedPeer(3), encodeMsgpack(announcement(1)), unixSeconds() - 10)
    for (const expiration of [NaN, Infinity, 1e308])
      swarm.dht.storeBytes(key, forgedPeer(4), encodeMsgpack(announcement(1)), expiration)
    swarm.dht.store(key, 'not a peer', announcement(1))
    await expectRouteAndAnswer()
  })
})

it('forged servers do not delay a route', async () => {
  for (let i = 0; i < 2000; i++) {
    for (let block = 0; block < 6; block++)
      swarm.dht.store(
        `${dhtPrefix}.${block}`,
        forgedPeer(i),
        announcement(1, { inference_rps: new Float(1e5) }),
      )
  }
  const before = process.memoryUsage.rss()
  await expectRouteAndAnswer()
  expect(process.memoryUsage.rss() - before).toBeLessThan(256 * 1024 * 1024)
})

it.each([3600, -3600])('works with clocks that are %i seconds ahead of this one', async (skew) => {
  for (const node of [swarm.dht, ...swarm.servers.map(({ dht }) => dht)]) node.clockSkew = skew
  for (let block = 0; block < 6; block++) {
    const server = swarm.servers[block < 3 ? 0 : 1]!
    swarm.dht.remove(`${dhtPrefix}.${block}`, server.id)
    const info = new Tuple([
      2,
      new Float(1),
      new Map(Object.entries({ start_block: block < 3 ? 0 : 3, end_block: block < 3 ? 3 : 6 })),
    ])
    swarm.dht.store(`${dhtPrefix}.${block}`, server.id, info, unixSeconds() + skew + 240)
  }
  await expectRouteAndAnswer()
})
