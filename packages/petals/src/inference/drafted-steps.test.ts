import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { FakeSwarm } from '../testing/fake-swarm.ts'
import type { InferenceSession } from './inference-session.ts'

let swarm: FakeSwarm

beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(() => swarm[Symbol.asyncDispose]())

const joined = (parts: readonly HiddenStates[]): HiddenStates => ({
  shape: [parts.reduce((sum, { shape }) => sum + shape[0], 0), swarm.hiddenSize],
  data: Float32Array.from(parts.flatMap(({ data }) => [...data])),
})

const promptLength = 40

/**
 * Runs a prompt and 30 tokens, in steps of a token with `right` drafts that are right and some that are wrong: taken back after
 * the step. Checks the outputs of all tokens that remain.
 */
async function runDrafted(
  session: InferenceSession,
  afterRound = (_round: number): void => {},
): Promise<void> {
  const prompt = swarm.inputs(promptLength, 1)
  const answer = Array.from({ length: 30 }, (_, i) => swarm.inputs(1, i + 2))
  const expected = swarm.expected(prompt, ...answer)
  const outputs = [...(await session.step(prompt)).data]
  let done = 0
  for (let round = 0; done < answer.length; round++) {
    const right = answer.slice(done, done + 1 + (round % 4))
    const wrong = swarm.inputs(1 + (round % 3), 1000 + round)
    const { data } = await session.step(joined([...right, wrong]))
    done += right.length
    session.rewind(promptLength + done)
    outputs.push(...data.subarray(0, right.length * swarm.hiddenSize))
    afterRound(round)
  }
  expect(Float32Array.from(outputs)).toEqual(expected)
}

const drafts = (session: InferenceSession): Promise<void> =>
  vi.waitFor(() => expect(session.rewindableTokens()).toBeGreaterThan(0))

describe.each([
  ['through this client', 'never'],
  ['from server to server', 'always'],
] as const)('steps with drafts that are taken back, %s', (_way, serverToServer) => {
  it('run no token again on servers that rewind', async () => {
    await swarm.addServer(0, 3, { modern: true })
    await swarm.addServer(3, 6, { modern: true })
    const session = (await swarm.connect({ serverToServer })).openSession()
    expect(session.rewindableTokens()).toBe(0)
    await session.open()
    await drafts(session)
    await runDrafted(session)
    // One for the trial, one for the answer.
    expect(swarm.servers.map(({ sessionsEver }) => sessionsEver)).toEqual([2, 2])
    expect(session.pushed).toBe(serverToServer === 'always')
  })

  it.each([
    [0, true],
    [1, true],
    [1, false],
  ])(
    'give the same outputs when server %i dies in one; its replacement rewinds: %s',
    async (index, modern) => {
      await swarm.addServer(0, 3, { modern: true })
      await swarm.addServer(3, 6, { modern: true })
      await swarm.addServer(index * 3, index * 3 + 3, { modern, inferenceRps: 1 })
      const session = (await swarm.connect({ serverToServer })).openSession()
      await session.open()
      await drafts(session)
      const bad = swarm.servers[index]!
      let tokens = 0
      bad.intercept = (step) => {
        if (step.position < promptLength + 12 || step.tokens === 1) return false
        tokens = step.tokens
        void bad.kill()
        return true
      }
      await runDrafted(session)
      expect(tokens).toBeGreaterThan(1)
      expect(session.route[index]!.peer).toBe(swarm.servers[2]!.id)
      if (modern) await drafts(session)
      else expect(session.rewindableTokens()).toBe(0)
    },
  )
})

it('offers no room beyond the sessions of the servers, and renews these with a rewind before it', async () => {
  await swarm.addServer(0, 6, { modern: true })
  const session = (await swarm.connect({ sessionLifetimeMs: 1000 })).openSession()
  await session.open()
  await drafts(session)
  const [server] = swarm.servers
  expect(session.rewindableTokens()).toBe(
    server!.requestedLengths.find((length) => length > 1)! - session.position,
  )
  const past = vi.spyOn(performance, 'now')
  const now = performance.now.bind(performance)
  const start = now()
  await runDrafted(session, (round) => {
    if (round === 4) past.mockImplementation(() => start + 1_000_000)
  })
  past.mockRestore()
  expect(server!.sessionsEver).toBeGreaterThan(2)
})

it('offers none while one server of the route can’t rewind', async () => {
  await swarm.addServer(0, 3, { modern: true })
  await swarm.addServer(3, 6, { modern: false })
  const client = await swarm.connect()
  const session = client.openSession()
  await session.open()
  session.rewindableTokens()
  const spans = session.route
  const abilities = await Promise.all(spans.map((span) => client.context.capabilities.canRewind(span)))
  expect(abilities).toEqual([true, false])
  expect(session.rewindableTokens()).toBe(0)
})
