import { afterAll, beforeAll, expect, it } from 'vitest'
import { greedy } from '@petals-chat/engine'
import { referenceAnswers } from './support/reference.ts'
import { startSwarmEngine, type SwarmEngine } from './support/swarm-engine.ts'

const model = 'stories15M'

/**
 * Two answers of this length do not fit into one circuit, because p2pd's relay cuts it after 128 KiB in each direction and a
 * token of this model takes 1.2 KiB. One answer does fit, so that its history can be sent again.
 */
const newTokens = 72

let subject: SwarmEngine
let prompt: readonly number[]
let expected: readonly number[]

beforeAll(async () => {
  subject = await startSwarmEngine({ model, behindNat: true }, { maxRetries: 2 })
  prompt = subject.model.tokenizer.encode('Once upon a time, there was a', { addSpecialTokens: true })
  const [reference] = await referenceAnswers(model, [prompt], newTokens)
  expected = reference!.ids
})
afterAll(() => subject?.[Symbol.asyncDispose]())

async function answer(count: number) {
  await using session = await subject.model.openSession({ maxLength: prompt.length + count })
  const ids: number[] = []
  for await (const { token } of session.generate(prompt, { sampling: greedy })) {
    ids.push(token)
    if (ids.length === count) break
  }
  return { ids, route: session.route!() }
}

it('finds a server behind a NAT, answers through its relay, and reports the relay', async () => {
  const [relay, server] = subject.swarm.servers
  expect(server!.multiaddr).toBe(`${relay!.multiaddr}/p2p-circuit/p2p/${server!.peerId}`)
  const { ids, route } = await answer(8)
  expect(ids).toEqual(expected.slice(0, 8))
  expect(route.hops.map(({ peer }) => peer)).toEqual([relay!.peerId, server!.peerId])

  const { models } = await subject.engine.swarm.status()
  const known = models[0]!.servers.map(({ peer, usesRelay }) => [peer, usesRelay])
  expect(new Map(known as [string, boolean][])).toEqual(
    new Map([
      [relay!.peerId, false],
      [server!.peerId, true],
    ]),
  )
  for (const { rttMs } of models[0]!.servers) expect(rttMs).toBeGreaterThan(0)
})

it('continues over a new circuit when the relay has cut the old one, with the ids of transformers', async () => {
  const answers = [await answer(newTokens), await answer(newTokens)]
  for (const { ids } of answers) expect(ids).toEqual(expected)
  const reasons = answers.flatMap(({ route }) => route.failovers.map(({ reason }) => reason))
  expect(reasons.length).toBeGreaterThan(0)
  for (const reason of reasons) expect(reason).toMatch(/relay .*allows no more/)
})

it('names the cause when an answer is longer than a circuit', async () => {
  await expect(answer(200)).rejects.toThrow(/relay .*allows no more/)
})
