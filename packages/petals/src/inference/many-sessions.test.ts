import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeSwarm, type SwarmClient } from '../testing/fake-swarm.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

const whole = { start: 0, end: 6 }

describe('sessions on two servers of each half', () => {
  it.each([2, 6, 12])('%i that are opened at once are half on each', async (count) => {
    for (const start of [0, 0, 3, 3]) await swarm.addServer(start, start + 3)
    const client = await swarm.connect()
    const sessions = Array.from({ length: count }, () => client.openSession())
    await Promise.all(sessions.map((session) => session.step(swarm.inputs(4))))
    const half = count / 2
    expect(swarm.servers.map(({ openSessions }) => openSessions)).toEqual([half, half, half, half])
  })

  it('go where there is room, counted from the moment at which they are planned', async () => {
    // For two sessions of 320 tokens, the first that such a session asks for.
    for (const start of [0, 0, 3, 3]) await swarm.addServer(start, start + 3, { cacheTokens: 3 * 700 })
    for (const server of swarm.servers) server.announce([swarm.dht], { cacheTokensLeft: 2 * 3 * 700 })
    const client = await swarm.connect()
    const sessions = Array.from({ length: 4 }, () => client.openSession())
    await Promise.all(sessions.map((session) => session.step(swarm.inputs(4))))
    expect(swarm.servers.map(({ requestedLengths }) => requestedLengths)).toEqual(
      swarm.servers.map(() => [320, 320]),
    )
    expect(sessions.flatMap(({ failovers }) => failovers)).toEqual([])
    expect(client.router.sessionsThatFit(whole, 320, () => 0)).toBe(0)
    await sessions[0]![Symbol.asyncDispose]()
    expect(client.router.sessionsThatFit(whole, 320, () => 0)).toBe(1)
  })
})

it('sessions leave a fast server to those for which it has room', async () => {
  const fast = await swarm.addServer(0, 6, { inferenceRps: 1000 })
  fast.announce([swarm.dht], { cacheTokensLeft: 2 * 6 * 700 })
  const slow = await swarm.addServer(0, 6, { inferenceRps: 100 })
  const client = await swarm.connect()
  const sessions = Array.from({ length: 4 }, () => client.openSession())
  await Promise.all(sessions.map((session) => session.step(swarm.inputs(320 - 256))))
  expect([fast, slow].map(({ openSessions }) => openSessions)).toEqual([2, 2])
})

describe('the room for more sessions', () => {
  const fit = (client: SwarmClient): number => client.router.sessionsThatFit(whole, 320, () => 0)

  it('is asked for where sessions of others have taken or left it', async () => {
    const server = await swarm.addServer(0, 6, { cacheTokens: 6 * 700 })
    server.announce([swarm.dht], { cacheTokensLeft: 2 * 6 * 700 })
    const [client, other] = [await swarm.connect(), await swarm.connect()]
    await client.openSession().step(swarm.inputs(4))
    const others = other.openSession()
    await others.step(swarm.inputs(4))
    expect(fit(client)).toBe(1) // it can't know
    await client.router.askRoom(2000)
    expect(fit(client)).toBe(0)
    await others[Symbol.asyncDispose]()
    await vi.waitFor(async () => {
      await client.router.askRoom(320)
      expect(fit(client)).toBe(1)
    })
  })

  it('is that of servers, too, which have come while no session was opened', async () => {
    const full = await swarm.addServer(0, 6, { cacheTokens: 6 * 330 })
    full.announce([swarm.dht], { cacheTokensLeft: 2 * 6 * 330 })
    const client = await swarm.connect()
    await client.openSession().step(swarm.inputs(4))
    const server = await swarm.addServer(0, 6, { cacheTokens: 6 * 700 })
    server.announce([swarm.dht], { cacheTokensLeft: 2 * 6 * 700 })
    await client.directory.refresh()
    expect(fit(client)).toBe(0)
    await client.router.askRoom(320)
    expect(fit(client)).toBe(2)
  })

  it('is none after a refusal', async () => {
    const server = await swarm.addServer(0, 6)
    server.announce([swarm.dht], { cacheTokensLeft: 2 * 6 * 10_000 })
    const client = await swarm.connect({ waitTimeoutMs: 0 })
    await client.openSession().step(swarm.inputs(4))
    expect(fit(client)).toBeGreaterThan(10)
    server.refusal = () => 'Could not allocate 320 bytes immediately: out of memory'
    await expect(client.openSession().step(swarm.inputs(4))).rejects.toThrow()
    expect(fit(client)).toBe(0)
  })
})
