import { GenerationFailedError, MissingBlocksError } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reportRoute } from '../session/route-report.ts'
import { decodeSteps, expectIdentical } from '../testing/dialogue.ts'
import type { FakeServer, FakeStep } from '../testing/fake-server.ts'
import { FakeSwarm } from '../testing/fake-swarm.ts'
import { silence } from '../testing/rpc-server.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

/** The bad server is the faster one, so that it is chosen first. */
const fast = { inferenceRps: 1000 }
const slow = { inferenceRps: 100 }

type Fault = (server: FakeServer, step: FakeStep) => Promise<boolean>

const faults: Readonly<Record<string, Fault>> = {
  'its process is killed': async (server) => {
    void server.kill()
    return true
  },
  'its connections are cut after it has answered': async (server, { call, response }) => {
    await call.respond(response)
    server.peer.cutConnections()
    return true
  },
  'the stream is reset': async (_, { call }) => {
    call.bytes.abort(new Error('reset'))
    return true
  },
  'the stream is ended normally': async (_, { call }) => {
    await call.bytes[Symbol.asyncDispose]()
    return true
  },
  'half an answer, then the end': async (_, { call, response }) => {
    await call.bytes.write([
      Buffer.from([0, 0, 0, 0, 0, 0, 0, response.length >> 8, response.length & 255]),
      response.subarray(0, 99),
    ])
    await call.bytes[Symbol.asyncDispose]()
    return true
  },
  'an exception': async (_, { call }) => {
    await call.fail('CUDA error: an illegal memory access was encountered')
    return true
  },
  'a timeout on the server': async (_, { call }) => {
    await call.fail('')
    return true
  },
  'it moved to other blocks': async (_, { call }) => {
    await call.fail('Remote peer does not serve Toy-hf.0')
    return true
  },
}

const failAt = (server: FakeServer, index: number, fault: Fault): void => {
  server.intercept = (step) => (step.index === index ? fault(server, step) : false)
}

describe.each(Object.entries(faults))('a server fails: %s', (_name, fault) => {
  it.each([
    ['at the prompt', 0],
    ['at the first token', 1],
    ['in the middle', 6],
    ['at the last token', decodeSteps],
  ])('%s, as the first of the route', async (_when, index) => {
    const bad = await swarm.addServer(0, 3, fast)
    await swarm.addServer(0, 3, slow)
    const last = await swarm.addServer(3, 6)
    failAt(bad, index, fault)
    const client = await swarm.connect()
    await expectIdentical(swarm, client.openSession())
    // The next server need not be sent again what it already had.
    expect(last.sessionsEver).toBe(1)
  })

  it('as the last of the route', async () => {
    await swarm.addServer(0, 3)
    const bad = await swarm.addServer(3, 6, fast)
    await swarm.addServer(3, 6, slow)
    failAt(bad, 5, fault)
    await expectIdentical(swarm, (await swarm.connect()).openSession())
  })
})

describe('more than one failure', () => {
  it('the replacement fails as well', async () => {
    const servers = [
      await swarm.addServer(0, 6, { inferenceRps: 1000 }),
      await swarm.addServer(0, 6, { inferenceRps: 500 }),
    ]
    await swarm.addServer(0, 6, slow)
    failAt(servers[0]!, 4, faults['its process is killed']!)
    failAt(servers[1]!, 0, faults['its process is killed']!)
    await expectIdentical(swarm, (await swarm.connect()).openSession())
  })

  it('all servers of a route fail at once', async () => {
    const dying = [
      await swarm.addServer(0, 2, fast),
      await swarm.addServer(2, 4, fast),
      await swarm.addServer(4, 6, fast),
    ]
    for (const [start, end] of [
      [0, 2],
      [2, 4],
      [4, 6],
    ] as const)
      await swarm.addServer(start, end, slow)
    failAt(dying[0]!, 5, async () => {
      for (const server of dying) void server.kill()
      return true
    })
    await expectIdentical(swarm, (await swarm.connect()).openSession())
  })

  it('the replacements have other spans', async () => {
    const bad = await swarm.addServer(0, 4, fast)
    await swarm.addServer(0, 1, slow)
    await swarm.addServer(1, 3, slow)
    await swarm.addServer(2, 6, slow)
    failAt(bad, 7, faults['its process is killed']!)
    const session = (await swarm.connect()).openSession()
    await expectIdentical(swarm, session)
    expect(session.route.map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [1, 3],
      [3, 4],
      [4, 6],
    ])
  })

  it('a server fails in a long prompt with several chunks pending', async () => {
    const bad = await swarm.addServer(0, 3, { ...fast, stepMs: () => 20 })
    await swarm.addServer(0, 3, slow)
    await swarm.addServer(3, 6)
    failAt(bad, 4, faults['its process is killed']!)
    await expectIdentical(swarm, (await swarm.connect()).openSession(), [
      swarm.inputs(128 * 8),
      swarm.inputs(1, 2),
    ])
  })

  it('the only server is tried again after a failure', async () => {
    const server = await swarm.addServer(0, 6)
    let failures = 0
    server.intercept = async (step) => {
      if (step.index % 4 !== 3 || failures === 2) return false
      failures++
      await step.call.fail('CUDA out of memory')
      return true
    }
    await expectIdentical(swarm, (await swarm.connect()).openSession())
    expect(failures).toBe(2)
  })

  it('a server that always fails is given up with a clear error', async () => {
    const server = await swarm.addServer(0, 6)
    server.intercept = async ({ call }) => {
      await call.fail('CUDA out of memory')
      return true
    }
    const session = (await swarm.connect({ maxRetries: 2 })).openSession()
    const failure = session.step(swarm.inputs(1))
    await expect(failure).rejects.toThrow(GenerationFailedError)
    await expect(failure).rejects.toThrow(
      /The server that is needed for blocks 0-5 failed, last: .*CUDA out of memory/,
    )
    // The session is as before, and works again when the server does.
    server.intercept = () => false
    await expectIdentical(swarm, session)
  })
})

describe('a server that hangs', () => {
  /** What is told of a server whose deadline has passed. */
  const late = (server: FakeServer) => ({
    failed: { peer: server.id },
    reason: expect.stringMatching(/did not answer within \d+ ms/),
  })

  it('in the middle of an answer is replaced', async () => {
    const bad = await swarm.addServer(0, 6, fast)
    await swarm.addServer(0, 6, slow)
    const session = (await swarm.connect()).openSession()
    failAt(bad, 8, async () => {
      bad.hung = true
      return await silence()
    })
    await expectIdentical(swarm, session)
    expect(session.failovers[0]).toMatchObject(late(bad))
  })

  it('an answer of one byte at a time does not extend the deadline', async () => {
    const bad = await swarm.addServer(0, 6, fast)
    await swarm.addServer(0, 6, slow)
    failAt(bad, 8, async (_, { call, response }) => {
      await call.bytes.write(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, response.length]))
      for (const byte of response) {
        await call.bytes.write(Uint8Array.of(byte))
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      return true
    })
    const session = (await swarm.connect()).openSession()
    await expectIdentical(swarm, session)
    expect(session.failovers[0]).toMatchObject(late(bad))
  })

  it('while a session opens is replaced', async () => {
    const bad = await swarm.addServer(0, 6, fast)
    await swarm.addServer(0, 6, slow)
    bad.hung = true
    await expectIdentical(swarm, (await swarm.connect({ connectTimeoutMs: 1000 })).openSession())
  })
})

it('the error names the blocks that no server holds', async () => {
  await swarm.addServer(0, 2)
  await swarm.addServer(4, 6)
  const session = (await swarm.connect()).openSession()
  await expect(session.step(swarm.inputs(1))).rejects.toThrow(MissingBlocksError)
  await expect(session.step(swarm.inputs(1))).rejects.toMatchObject({ blocks: [2, 3] })
})

describe('an answer that goes on with other servers', () => {
  const quantized = { quantType: 'q8_0', version: '2.3.0.dev2+petals.chat.0.1.0', inferenceRps: 500 }

  /** Returns how the receipt names the replacement, and how it computes. */
  async function receipt(bad: FakeServer): Promise<readonly [string | undefined, unknown]> {
    failAt(bad, 6, faults['its process is killed']!)
    const session = (await swarm.connect()).openSession()
    await expectIdentical(swarm, session)
    const [failover] = reportRoute(session, () => undefined).failovers
    return [failover!.replacedBy[0]!.peer, failover!.precision]
  }

  it('takes such as compute with the same numbers, though others are faster', async () => {
    const bad = await swarm.addServer(0, 6, fast)
    await swarm.addServer(0, 6, quantized)
    const alike = await swarm.addServer(0, 6, { inferenceRps: 300 })
    expect(await receipt(bad)).toEqual([alike.id, undefined])
  })

  it('says so where there are only others', async () => {
    const bad = await swarm.addServer(0, 6, fast)
    const other = await swarm.addServer(0, 6, quantized)
    expect(await receipt(bad)).toEqual([other.id, { before: 'F32', after: 'Q8_0' }])
  })
})
