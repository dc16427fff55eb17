import { MissingBlocksError, type SwarmWait } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { dialogueOf, expectIdentical, promptLength } from '../testing/dialogue.ts'
import type { FakeServer } from '../testing/fake-server.ts'
import { dhtPrefix, FakeSwarm } from '../testing/fake-swarm.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

/** The faulty server is the faster one, so that it is chosen first. */
const fast = { inferenceRps: 1000 }
const slow = { inferenceRps: 100 }

describe('a session waits for servers', () => {
  const killAt = (server: FakeServer, at: number): void => {
    server.intercept = async ({ index }) => {
      if (index !== at) return false
      void server.kill()
      return true
    }
  }

  it('asks a replica again whose first step takes longer than ever, not the server that refuses connections', async () => {
    let stepMs = 5
    const used = await swarm.addServer(0, 6, { ...fast, stepMs: () => 5 })
    const replica = await swarm.addServer(0, 6, { ...slow, stepMs: () => stepMs })
    const client = await swarm.connect()
    // Both were quick for a long time, so it is known when they are late.
    for (const { id } of [used, replica])
      for (let i = 0; i < 10; i++)
        for (const tokens of [1, promptLength]) client.context.times.record(id, tokens, 5)
    killAt(used, 6)
    stepMs = 2600
    setTimeout(() => (stepMs = 5), 4500)
    const session = client.openSession()
    await expectIdentical(swarm, session)
    expect(session.route.map(({ peer }) => peer)).toEqual([replica.id])
    expect(replica.sessionsEver).toBeGreaterThanOrEqual(2)
  })

  it('gives a server more time that opens sessions too slowly', async () => {
    const server = await swarm.addServer(0, 6)
    server.hung = true
    const waits = await waitsOf(async (onWait) => {
      const session = (await swarm.connect({ connectTimeoutMs: 500 })).openSession()
      setTimeout(() => (server.hung = false), 2500)
      const inputs = swarm.inputs(5)
      expect((await session.step(inputs, { onWait })).data).toEqual(swarm.expected(inputs))
    })
    expect(waits).toEqual([[{ start: 0, end: 6 }], undefined])
  })

  it('waits when all servers of a span are gone, reports it, and continues when others appear', async () => {
    await swarm.addServer(0, 3)
    const gone = [await swarm.addServer(3, 6, fast), await swarm.addServer(3, 6, slow)]
    const session = (await swarm.connect()).openSession()
    let reported: SwarmWait | undefined
    const reportedAtWork = new Set<SwarmWait | undefined>()
    const stepMs = (): number => (reportedAtWork.add(reported), 5)
    gone[0]!.intercept = async ({ index }) => {
      if (index !== 6) return false
      for (const server of gone) void server.kill()
      setTimeout(() => void swarm.addServer(3, 6, { stepMs }), 3000)
      return true
    }
    const waits = await waitsOf(async (onWait) => {
      const outputs: number[] = []
      const report = (wait: SwarmWait | undefined): void => onWait((reported = wait))
      for (const input of dialogueOf(swarm))
        outputs.push(...(await session.step(input, { onWait: report })).data)
      expect(Float32Array.from(outputs)).toEqual(swarm.expected(...dialogueOf(swarm)))
    })
    expect(waits).toEqual([[{ start: 3, end: 6 }], undefined])
    expect([...reportedAtWork]).toEqual([undefined])
    expect(gone.map(({ id }) => id)).not.toContain(session.route[1]!.peer)
  })

  it('waits also for blocks whose servers are no longer in the DHT', async () => {
    const [inputs, more] = [swarm.inputs(5), swarm.inputs(1, 2)]
    const server = await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession()
    await session.step(inputs)
    for (let block = 0; block < 6; block++) swarm.dht.remove(`${dhtPrefix}.${block}`, server.id)
    await server.kill()
    setTimeout(() => void swarm.addServer(0, 6), 3000)
    const waits = await waitsOf(async (onWait) => {
      expect((await session.step(more, { onWait })).data).toEqual(
        swarm.expected(inputs, more).subarray(5 * swarm.hiddenSize),
      )
    })
    expect(waits.at(0)).toEqual([{ start: 0, end: 6 }])
    expect(waits.at(-1)).toBeUndefined()
  })

  it('gives up when no server appears, and the error names the blocks', async () => {
    await swarm.addServer(0, 3)
    const server = await swarm.addServer(3, 6)
    const session = (await swarm.connect({ waitTimeoutMs: 1500 })).openSession()
    await session.step(swarm.inputs(5))
    await server.kill()
    const failure = session.step(swarm.inputs(1, 2))
    await expect(failure).rejects.toThrow(MissingBlocksError)
    await expect(failure).rejects.toThrow(
      /No server that holds blocks 3-5 of 'Toy-hf' \(6 blocks\) has answered for \d seconds/,
    )
    await expect(failure).rejects.toMatchObject({ blocks: [3, 4, 5] })
    // The session is as before.
    await swarm.addServer(3, 6)
    const expected = swarm.expected(swarm.inputs(5), swarm.inputs(1, 2)).subarray(5 * swarm.hiddenSize)
    expect((await session.step(swarm.inputs(1, 2))).data).toEqual(expected)
  })

  it('no longer than the configured time, though the server that hangs answers other requests', async () => {
    const server = await swarm.addServer(0, 6)
    server.hung = true
    const client = await swarm.connect({ connectTimeoutMs: 200, waitTimeoutMs: 1500 })
    vi.spyOn(client.context.router, 'aliveAt').mockImplementation(() => performance.now())
    const waits: (SwarmWait | undefined)[] = []
    const failure = client.openSession().step(swarm.inputs(5), { onWait: (wait) => waits.push(wait) })
    await expect(failure).rejects.toThrow(MissingBlocksError)
    const lengths = waits.flatMap((wait) => (wait ? [Math.round(wait.until - wait.since)] : []))
    expect(lengths).toEqual([1500])
  })

  it.each(['an abort', 'the end of the session'])('until %s ends the wait at once', async (how) => {
    const server = await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession()
    await session.step(swarm.inputs(5))
    await server.kill()
    const stop = new AbortController()
    const reason = new Error('enough')
    const onWait = (): void => {
      if (how === 'an abort') stop.abort(reason)
      else void session[Symbol.asyncDispose]()
    }
    const failure = session.step(swarm.inputs(1, 2), { onWait, signal: stop.signal })
    if (how === 'an abort') await expect(failure).rejects.toBe(reason)
    else await expect(failure).rejects.toThrow('The session was closed.')
  })

  it('but not when it only prewarms', async () => {
    const server = await swarm.addServer(0, 6)
    const client = await swarm.connect()
    await client.openSession().step(swarm.inputs(5))
    await server.kill()
    await expect(client.openSession().open()).rejects.toThrow(MissingBlocksError)
  })

  /** Returns the blocks of each reported wait; undefined for the end of one. */
  async function waitsOf(work: (onWait: (wait: SwarmWait | undefined) => void) => Promise<void>) {
    const waits: (SwarmWait | undefined)[] = []
    await work((wait) => waits.push(wait))
    for (const wait of waits) if (wait) expect(wait.until - wait.since).toBeGreaterThan(60_000)
    return waits.map((wait) => wait?.blocks)
  }
})
