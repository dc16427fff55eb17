import { afterAll, beforeAll, expect, it } from 'vitest'
import type { BlockServer } from '@petals-chat/blocks'
import { greedy, type TokenId } from '@petals-chat/engine'
import { findModel } from '../../swarm/models.ts'
import { startNativeServer } from './support/native-server.ts'
import { answersOfPython, type ChainAnswers } from './support/python-client.ts'
import { startSwarmEngine, type SwarmEngine } from './support/swarm-engine.ts'

// A server without Python that others can't dial, in a swarm of Python servers: the first of them is its relay.

const model = findModel('stories15M')
const half = model.blocks / 2
const newTokens = 16

let subject: SwarmEngine
let native: BlockServer
let chain: readonly string[]
let prompt: readonly TokenId[]
let python: ChainAnswers
const resources = new AsyncDisposableStack()

beforeAll(async () => {
  subject = resources.use(await startSwarmEngine({ model: model.name }))
  const { modelFolder, dhtPrefix, initialPeers, servers } = subject.swarm
  native = resources.use(
    await startNativeServer({
      modelFolder,
      model,
      start: half,
      end: model.blocks,
      initialPeers,
      name: 'behind a router',
      cacheType: 'f32',
      behindNat: true,
    }),
  )
  chain = [servers[0]!.peerId, native.peer]
  prompt = subject.model.tokenizer.encode('Once upon a time', { addSpecialTokens: true })
  python = await answersOfPython({
    model: modelFolder,
    dhtPrefix,
    initialPeers,
    chains: [chain],
    prompts: [prompt],
    newTokens,
  })
})
afterAll(() => resources.disposeAsync())

it('finds out that Python servers cannot dial it, and announces itself behind one of them', () => {
  const [relay] = subject.swarm.servers
  expect(native.status()).toMatchObject({ usesRelay: true, state: 'online' })
  expect(native.addresses).toEqual([`${relay!.multiaddr}/p2p-circuit/p2p/${native.peer}`])
})

it("answers Petals' own client through the relay, with the ids of transformers", () => {
  const route = [
    [chain[0], 0, half],
    [chain[1], half, model.blocks],
  ]
  expect(python.chains).toEqual([{ ids: python.expected, route }])
})

it('answers this client through the relay, with the ids of transformers', async () => {
  await subject.swarm.servers[1]![Symbol.asyncDispose]()
  await using session = await subject.model.openSession({ maxLength: prompt.length + newTokens })
  const ids: TokenId[] = []
  for await (const { token } of session.generate(prompt, { sampling: greedy })) {
    if (ids.push(token) === newTokens) break
  }
  expect(ids).toEqual(python.expected[0])
  expect(session.route!().hops.map(({ peer }) => peer)).toEqual(chain)
  const { models } = await subject.engine.swarm.status()
  const { usesRelay } = models[0]!.servers.find(({ peer }) => peer === native.peer)!
  expect(usesRelay).toBe(true)
})
