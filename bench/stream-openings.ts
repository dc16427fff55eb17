// node --conditions=petals-chat-source bench/stream-openings.ts [--rtt 100] [--rounds N]
//
// Measures what opens streams, over TCP relays that add a round trip of R to every connection: a call of the DHT, a lookup of
// all blocks, the opening of a session, and the step in which a server is lost. The servers compute in no time.
import { parseArgs } from 'node:util'
import { blockUid } from '../packages/petals/src/blocks/block-uid.ts'
import { createDhtClient } from '../packages/petals/src/dht/hivemind-dht-client.ts'
import { createRpcClient } from '../packages/petals/src/rpc/transport-rpc-client.ts'
import { dhtPrefix, FakeSwarm, type SwarmClient } from '../packages/petals/src/testing/fake-swarm.ts'
import { FaultyLink } from '../packages/petals/src/testing/faulty-link.ts'
import { median, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: { rtt: { type: 'string', default: '100' }, rounds: { type: 'string', default: '5' } },
})
const rttMs = Number(values.rtt)

async function timed(action: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await action()
  return performance.now() - startedAt
}

/** Starts two servers of all blocks and a node of the DHT, each behind a link of its own. */
async function startSwarm(
  resources: AsyncDisposableStack,
): Promise<{ swarm: FakeSwarm; links: FaultyLink[]; seed: string }> {
  const swarm = resources.use(await FakeSwarm.start())
  const links = []
  for (let i = 0; i < 2; i++) links.push((await swarm.addServerBehindLink(0, swarm.numBlocks)).link)
  const { address } = swarm.bootstrap
  const front = resources.use(await FaultyLink.start(Number(/tcp\/(\d+)/.exec(address)![1])))
  for (const link of [...links, front]) link.latencyMs = rttMs / 2
  return { swarm, links, seed: address.replace(/tcp\/\d+/, `tcp/${front.port}`) }
}

async function failoverMs(
  swarm: FakeSwarm,
  client: SwarmClient,
  links: readonly FaultyLink[],
): Promise<number> {
  const session = client.openSession()
  await session.step(swarm.inputs(20))
  const used = session.route[0]!.peer
  links[swarm.servers.findIndex(({ peer }) => peer.id === used)]!.reset()
  return await timed(() => session.step(swarm.inputs(1, 2)))
}

async function round(): Promise<Record<string, number>> {
  await using resources = new AsyncDisposableStack()
  const { swarm, links, seed } = await startSwarm(resources)
  const times: Record<string, number> = {}
  let client!: SwarmClient
  times['join, first connection'] = await timed(
    async () => (client = await swarm.connect({ initialPeers: [seed] })),
  )
  const dht = createDhtClient({ transport: client.transport, rpc: createRpcClient(client.transport) })
  const keys = Array.from({ length: swarm.numBlocks }, (_, i) => blockUid(dhtPrefix, i))
  await dht.ping(swarm.bootstrap.id)
  await dht.getMany(keys)
  await client.router.measure()
  times['call of the DHT'] = await timed(() => dht.ping(swarm.bootstrap.id))
  times['lookup in the DHT'] = await timed(() => dht.getMany(keys))
  times['opening a session'] = await timed(() => client.openSession().open({ length: 100 }))
  times['failover'] = await failoverMs(swarm, client, links)
  return times
}

const all: Record<string, number>[] = []
for (let i = 0; i < Number(values.rounds); i++) all.push(await round())
console.table(
  Object.keys(all[0]!).map((what) => {
    const ms = median(all.map((times) => times[what]!))
    return { what, 'median, ms': rounded(ms, 0), 'round trips': rounded(ms / rttMs, 1) }
  }),
)
