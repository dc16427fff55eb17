import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeSwarm } from '../testing/fake-swarm.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

describe('sessions on two servers of each half', () => {
  it.each([2, 6, 12])('%i that are opened at once are half on each', async (count) => {
    for (const start of [0, 0, 3, 3]) await swarm.addServer(start, start + 3)
    const client = await swarm.connect({}, { roundTripMs: 2 })
    const sessions = Array.from({ length: count }, () => client.openSession())
    await Promise.all(sessions.map((session) => session.step(swarm.inputs(4))))
    const half = count / 2
    expect(swarm.servers.map(({ openSessions }) => openSessions)).toEqual([half, half, half, half])
  })
})
