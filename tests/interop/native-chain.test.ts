import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBlockModel, startBlockEngine, startBlockServer, type BlockServer } from '@petals-chat/blocks'
import { greedy } from '@petals-chat/engine'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { startServer, type SwarmServer } from '../../swarm/server.ts'
import { folderFiles } from '../support/folder-files.ts'
import { referenceAnswers } from './support/reference.ts'
import { openSwarmEngine, type SwarmEngine } from './support/swarm-engine.ts'

// A swarm that a server without Python has started, with a Python server between two of those.

const model = findModel('stories15M')
const texts = ['Once upon a time, there was a', 'The little dog', 'Lily and Tom went to the']
const newTokens = 48
const cacheTokens = 4096

let modelFolder: string
let subject: SwarmEngine
let between: SwarmServer
let prompts: readonly (readonly number[])[]
let expected: readonly (readonly number[])[]
const native: BlockServer[] = []
const resources = new AsyncDisposableStack()

beforeAll(async () => {
  modelFolder = await ensureModel(model)
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-native-'))
  resources.defer(() => rm(folder, { recursive: true, force: true }))
  native.push(await serve(0, 2))
  const initialPeers = native[0]!.addresses
  const { dhtPrefix, blocks } = model
  between = resources.use(
    await startServer({ modelFolder, dhtPrefix, initialPeers, folder, name: 'python', start: 2, end: 4 }),
  )
  native.push(await serve(4, 6))
  const swarm = { modelFolder, dhtPrefix, blocks, initialPeers, servers: [between] }
  const none = { relayOf: () => undefined, add: () => Promise.reject(new Error('not here')) }
  const owned = { [Symbol.asyncDispose]: async () => {} }
  subject = resources.use(await openSwarmEngine({ ...swarm, ...none, ...owned }, model.name))
  prompts = texts.map((text) => subject.model.tokenizer.encode(text, { addSpecialTokens: true }))
  expected = (await referenceAnswers(model.name, prompts, newTokens)).map(({ ids }) => ids)
})
afterAll(() => resources.disposeAsync())

async function serve(start: number, end: number): Promise<BlockServer> {
  const blocks = await openBlockModel(folderFiles(modelFolder))
  const options = { model: blocks, cacheType: 'f32', cacheTokens, threads: 1 } as const
  return resources.use(
    await startBlockServer({
      model: { dhtPrefix: model.dhtPrefix, numBlocks: model.blocks },
      blocks: { start, end },
      openEngine: (range, { signal }) => startBlockEngine({ ...options, ...range, signal }),
      initialPeers: native[0]?.addresses ?? [],
      listen: ['/ip4/127.0.0.1/tcp/0'],
      reach: 'direct',
      publicName: `native ${start}`,
      version: '0.0.0',
    }),
  )
}

const route = () => [
  [native[0]!.peer, 0, 2],
  [between.peerId, 2, 4],
  [native[1]!.peer, 4, 6],
]

describe('a chain of servers with and without Python', () => {
  it('gives the ids of transformers to this client', async () => {
    for (const [i, prompt] of prompts.entries()) {
      await using session = await subject.model.openSession({ maxLength: prompt.length + newTokens })
      const ids: number[] = []
      for await (const { token } of session.generate(prompt, { sampling: greedy }))
        if (ids.push(token) === newTokens) break
      expect(ids).toEqual(expected[i])
      expect(session.route!().hops.map(({ peer, start, end }) => [peer, start, end])).toEqual(route())
    }
  })

  it('shows what each server announces', async () => {
    const { models } = await subject.engine.swarm.status()
    const servers = new Map(models[0]!.servers.map((server) => [server.peer, server] as const))
    for (const { peer } of native)
      expect(servers.get(peer)).toMatchObject({
        state: 'online',
        publicName: expect.stringMatching(/^native/),
      })
    expect(native[1]!.status().publicNames.get(between.peerId as never)).toBe('python')
  })
})
