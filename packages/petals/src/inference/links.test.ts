import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { dialogueOf, expectIdentical } from '../testing/dialogue.ts'
import { FakeSwarm } from '../testing/fake-swarm.ts'
import type { FaultyLink } from '../testing/faulty-link.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start({ hiddenSize: 256 })
})
afterEach(() => swarm[Symbol.asyncDispose]())

const dialogue = (): readonly HiddenStates[] => dialogueOf(swarm, 300, 10)

const faults: Readonly<Record<string, (link: FaultyLink) => void>> = {
  reset: (link) => link.reset(),
  'black hole': (link) => (link.state = { kind: 'blackhole' }),
  'half open': (link) => (link.state = { kind: 'half-open' }),
  'one byte per second': (link) => (link.state = { kind: 'slow', bytesPerSecond: 1 }),
  'cut within a frame': (link) => (link.cutAfterBytes = 700),
  'cut within the header of a frame': (link) => (link.cutAfterBytes = 20),
}

describe.each(Object.entries(faults))('a link fails: %s', (_name, fault) => {
  it.each([
    ['in the prompt', 0],
    ['at the first token', 1],
    ['later', 7],
  ])('%s', async (_when, at) => {
    const { server, link } = await swarm.addServerBehindLink(0, 6, { inferenceRps: 1000 })
    await swarm.addServer(0, 6, { inferenceRps: 1 })
    const client = await swarm.connect()
    // An earlier prompt shows how long this server takes.
    await client.openSession().step(swarm.inputs(300))
    const session = client.openSession()
    await session.open({ length: 400 })
    await expectIdentical(swarm, session, dialogue(), (index) => {
      if (index === at) fault(link)
    })
    expect(session.failovers[0]?.failed.peer).toBe(server.id)
  })
})

it('a link that fails in the very first prompt is noticed, too', async () => {
  const { server, link } = await swarm.addServerBehindLink(0, 6, { inferenceRps: 1000 })
  await swarm.addServer(0, 6, { inferenceRps: 1 })
  const session = (await swarm.connect()).openSession()
  await session.open({ length: 400 })
  await expectIdentical(swarm, session, dialogue(), (index) => {
    if (index === 0) link.state = { kind: 'blackhole' }
  })
  expect(session.failovers[0]?.failed.peer).toBe(server.id)
})

it('a link that recovers is used again, over a new connection', async () => {
  const { server, link } = await swarm.addServerBehindLink(0, 6)
  const client = await swarm.connect({ banTimeoutMs: 100 })
  const session = client.openSession()
  await session.step(swarm.inputs(5))
  link.state = { kind: 'blackhole' }
  const stepping = session.step(swarm.inputs(1, 2))
  await new Promise((resolve) => setTimeout(resolve, 3000))
  // The old connections stay dead, as after a change of networks; new ones work.
  const before = server.sessionsEver
  link.reset()
  link.state = { kind: 'open' }
  await stepping
  expect(server.sessionsEver).toBeGreaterThan(before)
})

it('varying latency is no fault', async () => {
  const { link } = await swarm.addServerBehindLink(0, 6)
  const client = await swarm.connect()
  await expectIdentical(swarm, client.openSession(), dialogue(), (index) => {
    link.latencyMs = (index * 37) % 200
  })
  expect(client.router.status()[0]!.bannedForMs).toBe(0)
})

it('over long links servers push their outputs', async () => {
  const latencyMs = 30
  for (const [start, end] of [
    [0, 2],
    [2, 4],
    [4, 6],
  ] as const) {
    const { link } = await swarm.addServerBehindLink(start, end)
    link.latencyMs = latencyMs
  }
  const [first, second, third] = swarm.servers
  // They are close to each other; their records say what they measured.
  first!.announce([swarm.dht], { nextPings: { [second!.id]: 0.001 } })
  second!.announce([swarm.dht], { nextPings: { [third!.id]: 0.001 } })
  const client = await swarm.connect({}, { roundTripMs: 2 * latencyMs })
  await client.router.measure()
  const pushed = client.openSession()
  await expectIdentical(swarm, pushed, dialogue())
  expect(pushed.pushed).toBe(true)
  expect(third!.pushCount).toBeGreaterThan(0)
  const relayed = (await swarm.connect({ serverToServer: 'never' })).openSession()
  await expectIdentical(swarm, relayed, dialogue())
  expect(relayed.pushed).toBe(false)
})
