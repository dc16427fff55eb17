import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expectIdentical } from '../testing/dialogue.ts'
import type { FakeServer } from '../testing/fake-server.ts'
import { FakeSwarm, type SwarmClient } from '../testing/fake-swarm.ts'
import { malformedResponses } from '../testing/malformed-responses.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

/** The lying server is the faster one, so that it is chosen first. */
const fast = { inferenceRps: 1000 }
const slow = { inferenceRps: 100 }

describe('servers that send malformed responses', () => {
  it(`${malformedResponses.size} malformed responses, at the prompt and later, are noticed; the server is replaced and the answer is the same`, async () => {
    expect(malformedResponses.size).toBeGreaterThanOrEqual(60)
    const liar = await swarm.addServer(0, 6, fast)
    const honest = await swarm.addServer(0, 6, slow)
    const client = await swarm.connect()
    // Whatever their measured speeds, the liar is tried first.
    client.router.verdicts.dispute([honest.id], 0)
    await client.openSession().open()
    const before = process.memoryUsage.rss()
    for (const [name, malform] of malformedResponses) {
      for (const at of [0, 3]) await expectFaultNoticed(client, liar, name, at, malform)
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(256 * 1024 * 1024)
  })

  async function expectFaultNoticed(
    client: SwarmClient,
    liar: FakeServer,
    name: string,
    at: number,
    malform: (honest: Uint8Array) => Uint8Array,
  ): Promise<void> {
    client.router.reportSuccess(liar.id)
    const start = liar.stepCount
    liar.intercept = async ({ index, call, response }) => {
      if (index - start !== at) return false
      await call.bytes.write(malform(response))
      return true
    }
    await using session = client.openSession()
    expect(session.route, name).toEqual([])
    await expectIdentical(swarm, session, [
      swarm.inputs(7, 1),
      ...[2, 3, 4, 5].map((seed) => swarm.inputs(1, seed)),
    ])
    const [status] = client.router.status().filter(({ peer }) => peer === liar.id)
    expect(status!.bannedForMs, `${name} at step ${at}`).toBeGreaterThan(0)
  }

  it('an endless stream of answers is refused', async () => {
    const liar = await swarm.addServer(0, 6, fast)
    await swarm.addServer(0, 6, slow)
    liar.intercept = async ({ index, call, response }) => {
      if (index !== 2) return false
      for (let i = 0; i < 100_000; i++) await call.respond(response)
      return true
    }
    await expectIdentical(swarm, (await swarm.connect()).openSession())
  })

  it('a repeated answer to an earlier step is refused', async () => {
    const liar = await swarm.addServer(0, 6, fast)
    await swarm.addServer(0, 6, slow)
    let earlier: Uint8Array | undefined
    liar.intercept = async ({ index, call, response }) => {
      if (index === 4) earlier = response
      if (index !== 5) return false
      await call.respond(earlier!)
      return true
    }
    await expectIdentical(swarm, (await swarm.connect()).openSession())
  })
})
