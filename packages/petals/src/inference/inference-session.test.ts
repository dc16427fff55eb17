import { ContextLengthError, InvalidRequestError, silentMetrics, type Metrics } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FloatDtype } from '../tensor/dtype.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { runInputs } from '../testing/dialogue.ts'
import { FakeSwarm } from '../testing/fake-swarm.ts'
import { silence } from '../testing/rpc-server.ts'
import { createInferenceSession } from './swarm-inference-session.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

const dialogue = (): readonly HiddenStates[] => [
  swarm.inputs(300, 1),
  ...[2, 3, 4, 5, 6].map((seed) => swarm.inputs(1, seed)),
  swarm.inputs(20, 7),
]

describe('without faults', () => {
  it('one server', async () => {
    await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession()
    const inputs = dialogue()
    expect(await runInputs(session, inputs)).toEqual(swarm.expected(...inputs))
    expect(session.position).toBe(325)
  })

  it('three servers, whose spans overlap', async () => {
    await swarm.addServer(0, 3)
    await swarm.addServer(2, 5)
    await swarm.addServer(4, 6)
    const session = (await swarm.connect()).openSession()
    const inputs = dialogue()
    expect(await runInputs(session, inputs)).toEqual(swarm.expected(...inputs))
    expect(session.route.map(({ start, end }) => [start, end])).toEqual([
      [0, 3],
      [3, 5],
      [5, 6],
    ])
  })

  it.each<[FloatDtype, number]>([
    ['bfloat16', 0.02],
    ['float16', 0.002],
  ])('servers of type %s', async (dtype, tolerance) => {
    await swarm.addServer(0, 3, { dtype })
    await swarm.addServer(3, 6, { dtype })
    const session = (await swarm.connect()).openSession()
    const inputs = dialogue()
    const expected = swarm.expected(...inputs)
    const outputs = await runInputs(session, inputs)
    outputs.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(tolerance))
  })

  it.each([1, 2, 3, 4, 5] as const)('answers with compression %i', async (compression) => {
    await swarm.addServer(0, 6, { compression })
    const session = (await swarm.connect()).openSession()
    const inputs = [swarm.inputs(200)]
    const expected = swarm.expected(...inputs)
    const outputs = await runInputs(session, inputs)
    outputs.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(0.1))
  })

  it('prewarmed sessions, several at once', async () => {
    await swarm.addServer(0, 3)
    await swarm.addServer(3, 6)
    const client = await swarm.connect()
    const sessions = [client.openSession(), client.openSession(), client.openSession()]
    await Promise.all(sessions.map((session) => session.open()))
    expect(swarm.servers.map(({ openSessions }) => openSessions)).toEqual([3, 3])
    const inputs = dialogue()
    const outputs = await Promise.all(sessions.map((session) => runInputs(session, inputs)))
    for (const each of outputs) expect(each).toEqual(swarm.expected(...inputs))
  })

  it('sessions prewarmed for enough tokens are not reopened', async () => {
    const server = await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession()
    await session.open({ length: 700 })
    await session.step(swarm.inputs(700))
    expect(server.sessionsEver).toBe(1)
  })

  it('prewarmed sessions that are not used are closed', async () => {
    const server = await swarm.addServer(0, 6)
    const session = (await swarm.connect({ aheadTimeoutMs: 200 })).openSession()
    await session.open()
    expect(server.openSessions).toBe(1)
    await expect.poll(() => server.openSessions).toBe(0)
    const inputs = dialogue()
    expect(await runInputs(session, inputs)).toEqual(swarm.expected(...inputs))
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(server.openSessions).toBe(1)
    expect(server.sessionsEver).toBe(2)
  })

  it('a long prompt is processed by all servers at the same time', async () => {
    const [first, second] = [await swarm.addServer(0, 3), await swarm.addServer(3, 6)]
    const begun = Promise.withResolvers<void>()
    second.intercept = () => (begun.resolve(), false)
    // It is not done with its second part before the other server has got the first one.
    first.intercept = async ({ index }) => {
      if (index === 1) await begun.promise
      return false
    }
    const session = (await swarm.connect()).openSession()
    await session.step(swarm.inputs(128 * 8))
    expect(session.failovers).toEqual([])
    expect([first.stepCount, second.stepCount]).toEqual([8, 8])
  })

  it('closing frees the servers', async () => {
    await swarm.addServer(0, 6)
    const client = await swarm.connect()
    {
      await using session = client.openSession()
      await session.step(swarm.inputs(3))
      expect(swarm.servers[0]!.allocatedTokens).toBeGreaterThan(0)
    }
    await expect.poll(() => swarm.servers[0]!.allocatedTokens).toBe(0)
  })
})

describe('the length of server sessions', () => {
  it('is little more than needed, and grows by a replay', async () => {
    const server = await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession(1000)
    const inputs = [swarm.inputs(36), ...Array.from({ length: 400 }, (_, i) => swarm.inputs(1, i + 2))]
    expect(await runInputs(session, inputs)).toEqual(swarm.expected(...inputs))
    expect(server.requestedLengths[0]).toBeLessThan(400)
    expect(server.requestedLengths.length).toBe(2)
  })

  it('never exceeds the maximum length of the session', async () => {
    const server = await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession(50)
    await session.step(swarm.inputs(40))
    await expect(session.step(swarm.inputs(11))).rejects.toThrow(ContextLengthError)
    await session.step(swarm.inputs(10))
    expect(Math.max(...server.requestedLengths)).toBe(50)
  })

  it("a server's own limit is learnt from its refusal", async () => {
    const server = await swarm.addServer(0, 6, { maxSessionLength: 100 })
    const client = await swarm.connect()
    const inputs = [swarm.inputs(36), swarm.inputs(60, 2)]
    expect(await runInputs(client.openSession(), inputs)).toEqual(swarm.expected(...inputs))
    expect(server.requestedLengths.at(-1)).toBe(100)
    await expect(client.openSession().step(swarm.inputs(101))).rejects.toThrow(ContextLengthError)
    expect(client.router.status().every(({ bannedForMs }) => bannedForMs === 0)).toBe(true)
  })

  it('a server that allows less than is needed is replaced by one that allows it', async () => {
    await swarm.addServer(0, 6, { maxSessionLength: 100, inferenceRps: 1000 })
    await swarm.addServer(0, 6)
    const client = await swarm.connect()
    const inputs = [swarm.inputs(200)]
    expect(await runInputs(client.openSession(), inputs)).toEqual(swarm.expected(...inputs))
    expect(client.router.status().every(({ bannedForMs }) => bannedForMs === 0)).toBe(true)
  })

  it("a server's limit on the tokens of a request is learnt as well", async () => {
    await swarm.addServer(0, 6, { maxRequestTokens: 50 })
    const client = await swarm.connect()
    const inputs = [swarm.inputs(300)]
    expect(await runInputs(client.openSession(), inputs)).toEqual(swarm.expected(...inputs))
    expect(client.router.status().every(({ bannedForMs }) => bannedForMs === 0)).toBe(true)
  })
})

it('steps and the ends of sessions are reported to the router', async () => {
  const first = await swarm.addServer(0, 2)
  const second = await swarm.addServer(2, 6)
  const client = await swarm.connect()
  const [steps, ends] = [vi.spyOn(client.router, 'reportStep'), vi.spyOn(client.router, 'reportEnd')]
  {
    await using session = client.openSession()
    for (const tokens of [5, 1]) await session.step(swarm.inputs(tokens))
    await session.step(swarm.inputs(3), { isAnswer: true })
    expect(ends).not.toHaveBeenCalled()
  }
  const reported = steps.mock.calls.map(([{ peer, blocks, tokens }]) => [peer, blocks, tokens])
  expect(reported).toEqual([
    [first.id, 2, 5],
    [second.id, 4, 5],
    [first.id, 2, 1],
    [second.id, 4, 1],
    [first.id, 2, 3],
    [second.id, 4, 3],
  ])
  for (const [{ ms, tokenMs }] of steps.mock.calls) expect(tokenMs).toBeGreaterThanOrEqual(ms * 0.99)
  expect(ends.mock.calls.toSorted()).toEqual(
    steps.mock.calls
      .slice(4)
      .map(([{ peer, session }]) => [peer, session])
      .toSorted(),
  )
})

it('the times of steps say what they did: a prompt, a token, or several tokens of an answer', async () => {
  await swarm.addServer(0, 6)
  const { context } = await swarm.connect()
  const phases = new Map<string, unknown[]>()
  const histogram: Metrics['histogram'] = ({ name }) => ({
    observe: (_seconds, labels) => phases.set(name, [...(phases.get(name) ?? []), labels?.['phase']]),
  })
  const metrics = { ...silentMetrics, histogram }
  await using session = createInferenceSession({ ...context, metrics }, { maxLength: 500 })
  await session.step(swarm.inputs(300))
  for (const tokens of [1, 4]) await session.step(swarm.inputs(tokens), { isAnswer: true })
  await session.step(swarm.inputs(4))
  const whole = ['prefill', 'decode', 'drafted', 'prefill']
  expect(phases.get('petals_step_seconds')).toEqual(whole)
  expect([...new Set(phases.get('petals_span_step_seconds'))]).toEqual(whole.slice(0, 3))
})

describe('rewinding', () => {
  it.each([false, true])('on servers that can rewind: %s', async (modern) => {
    const first = await swarm.addServer(0, 3, { modern })
    await swarm.addServer(3, 6, { modern })
    const session = (await swarm.connect()).openSession()
    const [prompt, wrong, right, more] = [
      swarm.inputs(200),
      swarm.inputs(30, 2),
      swarm.inputs(20, 3),
      swarm.inputs(1, 4),
    ]
    await session.step(prompt)
    await session.step(wrong)
    session.rewind(150)
    expect(session.position).toBe(150)
    const kept = {
      shape: [150, swarm.hiddenSize] as const,
      data: prompt.data.subarray(0, 150 * swarm.hiddenSize),
    }
    const expected = swarm.expected(kept, right, more).subarray(150 * swarm.hiddenSize)
    expect(await runInputs(session, [right, more])).toEqual(expected)
    // Modern servers are probed once and then rewound, older ones get a new session.
    expect(first.sessionsEver).toBe(2)
  })

  it('works to the beginning, and refuses a position that was not reached', async () => {
    await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession()
    await session.step(swarm.inputs(10))
    session.rewind(0)
    const inputs = [swarm.inputs(5, 2)]
    expect(await runInputs(session, inputs)).toEqual(swarm.expected(...inputs))
    expect(() => session.rewind(6)).toThrow(RangeError)
  })

  it('is refused during a step, which continues', async () => {
    const server = await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession()
    const inputs = [swarm.inputs(10), swarm.inputs(1, 2)]
    const reached = Promise.withResolvers<void>()
    const mayAnswer = Promise.withResolvers<boolean>()
    server.intercept = ({ index }) => {
      if (index === 0) return false
      reached.resolve()
      return mayAnswer.promise
    }
    const outputs = runInputs(session, inputs)
    await reached.promise
    expect(() => session.rewind(5)).toThrow(InvalidRequestError)
    mayAnswer.resolve(false)
    expect(await outputs).toEqual(swarm.expected(...inputs))
    expect(session.position).toBe(11)
  })
})

describe('ending early', () => {
  it('an aborted step frees the servers at once, and the session can be used again', async () => {
    const server = await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession()
    const prompt = swarm.inputs(10)
    await session.step(prompt)
    const reason = new Error('the user left')
    const controller = new AbortController()
    server.intercept = () => {
      controller.abort(reason)
      return silence()
    }
    await expect(session.step(swarm.inputs(1, 2), { signal: controller.signal })).rejects.toBe(reason)
    await expect.poll(() => server.openSessions).toBe(0)
    server.intercept = () => false
    expect(session.position).toBe(10)
    const next = swarm.inputs(2, 3)
    const outputs = (await session.step(next)).data
    expect(outputs).toEqual(swarm.expected(prompt, next).subarray(10 * swarm.hiddenSize))
  })

  it('closing a session ends its running step', async () => {
    const server = await swarm.addServer(0, 6)
    const running = Promise.withResolvers<void>()
    server.intercept = () => {
      running.resolve()
      return silence()
    }
    const session = (await swarm.connect()).openSession()
    const stepping = session.step(swarm.inputs(1))
    stepping.catch(() => {})
    await running.promise
    await session[Symbol.asyncDispose]()
    await expect(stepping).rejects.toThrow()
    await expect.poll(() => server.openSessions).toBe(0)
  })

  it('a second step at the same time is refused', async () => {
    await swarm.addServer(0, 6)
    const session = (await swarm.connect()).openSession()
    const stepping = session.step(swarm.inputs(1))
    await expect(session.step(swarm.inputs(1))).rejects.toThrow(/session is busy/)
    await stepping
  })
})
