import { afterEach, beforeEach, expect, it } from 'vitest'
import { FakeSwarm } from '../testing/fake-swarm.ts'
import { FaultyLink } from '../testing/faulty-link.ts'

/** A satellite's line with a busy modem: every exchange takes this long. */
const roundTripMs = 1500

let resources: AsyncDisposableStack
beforeEach(() => {
  resources = new AsyncDisposableStack()
})
afterEach(() => resources.disposeAsync())

it('a client with a round trip of 1.5 s joins with the default timeouts, answers, and survives the loss of a server', async () => {
  const swarm = resources.use(await FakeSwarm.start())
  const { link } = await swarm.addServerBehindLink(0, swarm.numBlocks)
  const other = await swarm.addServerBehindLink(0, swarm.numBlocks)
  const port = /tcp\/(\d+)/.exec(swarm.bootstrap.address)![1]!
  const front = resources.use(await FaultyLink.start(Number(port)))
  for (const each of [link, other.link, front]) each.latencyMs = roundTripMs / 2

  const seed = swarm.bootstrap.address.replace(`tcp/${port}`, `tcp/${front.port}`)
  const client = await swarm.connect({ initialPeers: [seed] }, { roundTripMs: 'measured' })
  const session = client.openSession()
  const prompt = swarm.inputs(20)
  expect((await session.step(prompt)).data).toEqual(swarm.expected(prompt))

  const used = session.route[0]!.peer
  const usedLink = swarm.servers[0]!.id === used ? link : other.link
  usedLink.reset()
  const next = swarm.inputs(1, 2)
  expect((await session.step(next)).data).toEqual(swarm.expected(prompt, next).slice(-next.data.length))
}, 120_000)
