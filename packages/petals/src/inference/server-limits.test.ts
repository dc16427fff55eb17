import { CapacityError } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expectIdentical } from '../testing/dialogue.ts'
import { FakeSwarm } from '../testing/fake-swarm.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

describe('servers without room', () => {
  it('are replaced by others', async () => {
    await swarm.addServer(0, 6, { inferenceRps: 1000, cacheTokens: 100 })
    await swarm.addServer(0, 6, { inferenceRps: 100 })
    await expectIdentical(swarm, (await swarm.connect()).openSession())
  })

  it('are asked for less if they have room for what is needed, but not for the whole session', async () => {
    const server = await swarm.addServer(0, 6, { cacheTokens: 2500 })
    // Its outdated record says that there is plenty.
    server.announce([swarm.dht], { cacheTokensLeft: 1e9 })
    await expectIdentical(swarm, (await swarm.connect()).openSession())
    expect(server.requestedLengths).toEqual([2048, 320])
  })

  it('are asked again once this client has closed sessions that it did not use', async () => {
    const server = await swarm.addServer(0, 6, { cacheTokens: 13_000 })
    server.announce([swarm.dht], { cacheTokensLeft: 1e9 })
    const client = await swarm.connect()
    const idle = [client.openSession()]
    await idle[0]!.step(swarm.inputs(3))
    const makeRoom = async (): Promise<boolean> => {
      const unused = idle.pop()
      await unused?.[Symbol.asyncDispose]()
      return unused !== undefined
    }
    await expectIdentical(swarm, client.openSession(2048, makeRoom))
    expect(idle).toEqual([])
    expect(server.requestedLengths).toEqual([2048, 2048, 320])
  })

  it('make the step fail with a CapacityError if there are no others', async () => {
    await swarm.addServer(0, 6, { cacheTokens: 100 })
    const session = (await swarm.connect({ maxRetries: 2 })).openSession()
    await expect(session.step(swarm.inputs(10))).rejects.toThrow(CapacityError)
  })
})

it('a session tells how much it keeps for lost servers: the inputs of each span', async () => {
  await swarm.addServer(0, 3)
  await swarm.addServer(3, 6)
  const session = (await swarm.connect()).openSession()
  await session.step(swarm.inputs(10))
  const { hiddenSize } = swarm
  expect(session.historyBytes).toBeGreaterThanOrEqual(2 * 10 * hiddenSize * 2)
  expect(session.historyBytes).toBeLessThanOrEqual(2 * 10 * hiddenSize * 4 * 2)
})

describe('limits of servers on time', () => {
  it('idle sessions are kept alive, and closed when they have not been used for too long', async () => {
    const server = await swarm.addServer(0, 6, { stepTimeoutMs: 1000 })
    const session = (await swarm.connect({ keepAliveMs: 100, idleTimeoutMs: 3000 })).openSession()
    const [first, second] = [swarm.inputs(10), swarm.inputs(3, 2)]
    await session.step(first)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    expect(server.openSessions).toBe(1)
    expect(server.sessionsEver).toBe(1)
    await expect.poll(() => server.openSessions).toBe(0)
    expect((await session.step(second)).data).toEqual(
      swarm.expected(first, second).subarray(10 * swarm.hiddenSize),
    )
    expect(server.sessionsEver).toBe(2)
  })

  it('a session that the server ended while idle is opened again, and the server is not banned', async () => {
    const server = await swarm.addServer(0, 6, { stepTimeoutMs: 300 })
    const client = await swarm.connect()
    const session = client.openSession()
    const [first, second] = [swarm.inputs(10), swarm.inputs(3, 2)]
    await session.step(first)
    await expect.poll(() => server.openSessions).toBe(0)
    expect((await session.step(second)).data).toEqual(
      swarm.expected(first, second).subarray(10 * swarm.hiddenSize),
    )
    expect(client.router.status()[0]!.bannedForMs).toBe(0)
  })

  it('sessions are renewed before their lifetime ends', async () => {
    const server = await swarm.addServer(0, 6, { sessionTimeoutMs: 1200 })
    const client = await swarm.connect({ sessionLifetimeMs: 600 })
    const session = client.openSession()
    const inputs = Array.from({ length: 40 }, (_, i) => swarm.inputs(1, i + 1))
    const outputs: number[] = []
    for (const input of inputs) {
      outputs.push(...(await session.step(input)).data)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(Float32Array.from(outputs)).toEqual(swarm.expected(...inputs))
    expect(server.sessionsEver).toBeGreaterThanOrEqual(3)
    expect(client.router.status()[0]!.bannedForMs).toBe(0)
  })
})
