import { MissingBlocksError, type SwarmWait } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { FakeServer } from '../testing/fake-server.ts'
import { dhtPrefix, FakeSwarm } from '../testing/fake-swarm.ts'
import type { InferenceSession } from './inference-session.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

const prompt = 40
const steps = 12
const dialogue = (): readonly HiddenStates[] => [
  swarm.inputs(prompt, 1),
  ...Array.from({ length: steps }, (_, i) => swarm.inputs(1, i + 2)),
]

/** Runs the dialogue; the outputs must be those of an undisturbed run, bit by bit. */
async function expectIdentical(session: InferenceSession, inputs = dialogue()): Promise<void> {
  const outputs: number[] = []
  for (const input of inputs) outputs.push(...(await session.step(input)).data)
  expect(Float32Array.from(outputs)).toEqual(swarm.expected(...inputs))
}

/** The bad server is the faster one, so that it is chosen first. */
const fast = { inferenceRps: 1000 }
const slow = { inferenceRps: 100 }

describe('slow is not dead', () => {
  const killAt = (server: FakeServer, at: number): void => {
    server.intercept = async ({ index }) => {
      if (index !== at) return false
      void server.kill()
      return true
    }
  }

  test('a replica whose first step takes longer than ever is asked again, not the one that refuses connections', async () => {
    let stepMs = 5
    const used = await swarm.addServer(0, 6, { ...fast, stepMs: () => 5 })
    const replica = await swarm.addServer(0, 6, { ...slow, stepMs: () => stepMs })
    const client = await swarm.connect()
    // Both were quick for long: what is late at them is known.
    for (const { id } of [used, replica])
      for (let i = 0; i < 10; i++)
        for (const tokens of [1, prompt]) client.context.times.record(id, tokens, 5)
    killAt(used, 6)
    stepMs = 2600
    setTimeout(() => (stepMs = 5), 4500)
    const session = client.openSession()
    await expectIdentical(session)
    expect(session.route.map(({ peer }) => peer)).toEqual([replica.id])
    expect(replica.sessionsEver).toBeGreaterThanOrEqual(2)
  })

  test('a server that opens sessions slower than it may is given more time', async () => {
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

  test('all servers of a span gone, then others in their place: the answer waits, tells so, and goes on', async () => {
    await swarm.addServer(0, 3)
    const gone = [await swarm.addServer(3, 6, fast), await swarm.addServer(3, 6, slow)]
    const session = (await swarm.connect()).openSession()
    let told: SwarmWait | undefined
    const toldAtWork = new Set<SwarmWait | undefined>()
    const stepMs = (): number => (toldAtWork.add(told), 5)
    gone[0]!.intercept = async ({ index }) => {
      if (index !== 6) return false
      for (const server of gone) void server.kill()
      setTimeout(() => void swarm.addServer(3, 6, { stepMs }), 3000)
      return true
    }
    const waits = await waitsOf(async (onWait) => {
      const outputs: number[] = []
      const tell = (wait: SwarmWait | undefined): void => onWait((told = wait))
      for (const input of dialogue()) outputs.push(...(await session.step(input, { onWait: tell })).data)
      expect(Float32Array.from(outputs)).toEqual(swarm.expected(...dialogue()))
    })
    expect(waits).toEqual([[{ start: 3, end: 6 }], undefined])
    expect([...toldAtWork]).toEqual([undefined])
    expect(gone.map(({ id }) => id)).not.toContain(session.route[1]!.peer)
  })

  test('blocks whose servers have left the records are waited for, too', async () => {
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

  test('where none comes the answer is given up, and the error names the blocks', async () => {
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
    // The session is as it was.
    await swarm.addServer(3, 6)
    const expected = swarm.expected(swarm.inputs(5), swarm.inputs(1, 2)).subarray(5 * swarm.hiddenSize)
    expect((await session.step(swarm.inputs(1, 2))).data).toEqual(expected)
  })

  test.each(['an abort', 'the end of the session'])('%s ends the wait at once', async (how) => {
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

  test('prewarming does not wait for servers', async () => {
    const server = await swarm.addServer(0, 6)
    const client = await swarm.connect()
    await client.openSession().step(swarm.inputs(5))
    await server.kill()
    await expect(client.openSession().open()).rejects.toThrow(MissingBlocksError)
  })

  /** The blocks of each wait that is told, undefined for its end. */
  async function waitsOf(work: (onWait: (wait: SwarmWait | undefined) => void) => Promise<void>) {
    const waits: (SwarmWait | undefined)[] = []
    await work((wait) => waits.push(wait))
    for (const wait of waits) if (wait) expect(wait.until - wait.since).toBeGreaterThan(60_000)
    return waits.map((wait) => wait?.blocks)
  }
})
