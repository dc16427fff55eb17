import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Span } from '../blocks/spans.ts'
import { peerIdFromBytes, type PeerId } from '../p2p/peer-id.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { expectIdentical } from '../testing/dialogue.ts'
import { FakeSwarm } from '../testing/fake-swarm.ts'
import { maxPushedTokens, pushGain, pushKind } from './push-plan.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

const dialogue = (): readonly HiddenStates[] => [
  swarm.inputs(200, 1),
  ...Array.from({ length: 10 }, (_, i) => swarm.inputs(1, i + 2)),
  swarm.inputs(5, 20),
]

describe.each([
  ['2.2.0.post1, which reads the next servers at the opening', false],
  ['newer, which reads the next servers in each step', true],
])('servers push their outputs: %s', (_name, modern) => {
  const addServers = async (): Promise<void> => {
    await swarm.addServer(0, 2, { modern })
    await swarm.addServer(2, 4, { modern })
    await swarm.addServer(4, 6, { modern })
  }

  it('outputs are the same, and were pushed', async () => {
    await addServers()
    const session = (await swarm.connect({ serverToServer: 'always' })).openSession()
    await expectIdentical(swarm, session, dialogue())
    const pushes = swarm.servers.map(({ pushCount }) => pushCount)
    // The prompt may be sent to newer servers while others still open; then it is relayed.
    expect([
      [0, 11, 11],
      [0, 12, 12],
    ]).toContainEqual(pushes)
    if (!modern) expect(pushes[1]).toBe(12)
  })

  it.each([0, 1, 2])('server %i of the route is killed', async (index) => {
    await addServers()
    const bad = swarm.servers[index]!
    const session = (await swarm.connect({ serverToServer: 'always' })).openSession()
    await session.open()
    await swarm.addServer(index * 2, index * 2 + 2, { modern })
    bad.intercept = (step) => {
      if (step.index < 5) return false
      void bad.kill()
      return true
    }
    // The client learns of the new server only when it reads the DHT again.
    await expectIdentical(swarm, session, dialogue())
  })

  it('a server hangs', async () => {
    await addServers()
    await swarm.addServer(2, 4, { modern, inferenceRps: 1 })
    const session = (await swarm.connect({ serverToServer: 'always' })).openSession()
    const bad = swarm.servers[1]!
    bad.intercept = ({ index }) => {
      if (index >= 8) bad.hung = true
      return index >= 8
    }
    await expectIdentical(swarm, session, dialogue())
  })

  it('after a lost push outputs are relayed, and no server is banned', async () => {
    await addServers()
    const client = await swarm.connect({ serverToServer: 'always' })
    const session = client.openSession()
    await session.open()
    const inputs = dialogue()
    await session.step(inputs[0]!)
    await swarm.servers[2]!.peer.unhandle('TransformerConnectionHandler.rpc_push')
    const outputs: number[] = []
    for (const input of inputs.slice(1)) outputs.push(...(await session.step(input)).data)
    const expected = swarm.expected(...inputs).subarray(inputs[0]!.data.length)
    expect(Float32Array.from(outputs)).toEqual(expected)
    expect(client.router.status().every(({ bannedForMs }) => bannedForMs === 0)).toBe(true)
  })

  it('after a rewind', async () => {
    await addServers()
    const session = (await swarm.connect({ serverToServer: 'always' })).openSession()
    const [prompt, wrong, right, more] = [
      swarm.inputs(100),
      swarm.inputs(1, 2),
      swarm.inputs(2, 3),
      swarm.inputs(1, 4),
    ]
    await session.step(prompt)
    await session.step(wrong)
    session.rewind(100)
    const outputs = [...(await session.step(right)).data, ...(await session.step(more)).data]
    const expected = swarm.expected(prompt, right, more).subarray(100 * swarm.hiddenSize)
    expect(Float32Array.from(outputs)).toEqual(expected)
  })

  it('several sessions at once', async () => {
    await addServers()
    const client = await swarm.connect({ serverToServer: 'always' })
    await Promise.all(
      Array.from({ length: 4 }, () => expectIdentical(swarm, client.openSession(), dialogue())),
    )
  })
})

it.each([0, 1, 2])(
  'a pushed step that is too large for server %i is sent in smaller requests',
  async (index) => {
    for (const start of [0, 2, 4])
      await swarm.addServer(start, start + 2, {
        modern: true,
        ...(start === index * 2 && { maxRequestTokens: 64 }),
      })
    const client = await swarm.connect({ serverToServer: 'always' })
    const session = client.openSession()
    await session.open()
    await expectIdentical(swarm, session, dialogue())
    expect(session.pushed).toBe(true)
    expect(client.router.status().every(({ bannedForMs }) => bannedForMs === 0)).toBe(true)
  },
)

it('a route with servers of both kinds is relayed', async () => {
  await swarm.addServer(0, 2, { modern: true })
  await swarm.addServer(2, 4)
  await swarm.addServer(4, 6)
  await expectIdentical(swarm, (await swarm.connect({ serverToServer: 'always' })).openSession(), dialogue())
  expect(swarm.servers.map(({ pushCount }) => pushCount)).toEqual([0, 0, 0])
})

it('auto does not push on loopback, where relaying is as fast', async () => {
  await swarm.addServer(0, 3)
  await swarm.addServer(3, 6)
  await expectIdentical(swarm, (await swarm.connect()).openSession(), dialogue())
  expect(swarm.servers.map(({ pushCount }) => pushCount)).toEqual([0, 0])
})

describe('the decision to push', () => {
  const peerOf = (index: number): PeerId =>
    peerIdFromBytes(Uint8Array.from([0x12, 32, ...new Array<number>(32).fill(index + 1)]))!
  const route = (between: readonly (number | undefined)[]): readonly Span[] =>
    Array.from({ length: between.length + 1 }, (_, i) => ({
      peer: peerOf(i),
      start: i,
      end: i + 1,
      server: {
        state: 'online',
        throughput: 1,
        adapters: [],
        nextPings: between[i] === undefined ? undefined : new Map([[peerOf(i + 1), between[i]]]),
      },
    }))
  const gain = (between: readonly (number | undefined)[], fromHere: number | undefined) =>
    pushGain(route(between), () => fromHere)

  it('equal links: n round trips become (n + 1) / 2', () => {
    expect(gain([0.1, 0.1], 0.1)).toEqual({ relayedMs: expect.closeTo(300), pushedMs: expect.closeTo(200) })
    expect(gain([0.1, 0.1, 0.1], 0.1)).toEqual({
      relayedMs: expect.closeTo(400),
      pushedMs: expect.closeTo(250),
    })
  })

  it('is made only if all times are measured, all servers are reachable, and it is worth it', () => {
    expect(gain([undefined], 0.1)).toBeUndefined()
    expect(gain([0.1], undefined)).toBeUndefined()
    expect(gain([Infinity], 0.1)).toBeUndefined()
    expect(gain([0.001], 0.002)).toBeUndefined()
    expect(gain([0.5], 0.1)).toBeUndefined()
    expect(gain([], 0.1)).toBeUndefined()
  })

  it('is against a route whose servers read the next servers at different times', () => {
    expect(pushKind([true, true])).toBe('per-step')
    expect(pushKind([false, false])).toBe('at-opening')
    expect(pushKind([true, false])).toBeUndefined()
  })

  it('limits a pushed step to one unary call', () => {
    expect(maxPushedTokens(8192)).toBe(126)
    expect(maxPushedTokens(10_000_000)).toBe(1)
  })
})
