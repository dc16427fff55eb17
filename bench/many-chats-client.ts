// node --conditions=petals-chat-source bench/many-chats-client.ts ours|null CACHE_FOLDER MODEL_FOLDER DHT_PREFIX INITIAL_PEER...
//
// Several chats at once in one process: by the swarm engine, or by the minimal client, which only sends hidden states.
import { greedy } from '@petals-chat/engine'
import { createModelStore, hubConfigSchema } from '@petals-chat/hub'
import { createPetalsEngine, petalsModelSchema, swarmConfigSchema } from '@petals-chat/petals'
import { connectSwarm } from '@petals-chat/petals/client'
import { readArchitecture } from '../packages/petals/src/layers/architecture.ts'
import { folderFiles } from '../tests/support/folder-files.ts'
import { answerChats, type Chat } from './support/chat-lines.ts'

const [kind = '', cacheFolder = '', folder = '', dhtPrefix = '', ...initialPeers] = process.argv.slice(2)
await using resources = new AsyncDisposableStack()

async function openOurs(): Promise<Chat> {
  const store = createModelStore(hubConfigSchema.parse({ offline: true }))
  const engine = createPetalsEngine(swarmConfigSchema.parse({ initialPeers }), {
    openFiles: (from, options) => store.openFiles(from, options),
    cacheFolder,
  })
  resources.use(engine)
  const spec = petalsModelSchema.parse({ id: 'bench', engine: 'petals', source: folder, dhtPrefix })
  const model = resources.use(await engine.load(spec))
  return async function* ({ ids, maxLength }) {
    await using session = await model.openSession({ maxLength })
    for await (const { token } of session.generate(ids, { sampling: greedy })) {
      yield { token, servers: session.route?.().hops.map(({ peer }) => peer) ?? [] }
    }
  }
}

async function openNull(): Promise<Chat> {
  const { hiddenSize, blocks: numBlocks } = await readArchitecture(folderFiles(folder))
  const client = resources.use(await connectSwarm({ initialPeers }))
  const model = client.openModel({ dhtPrefix, numBlocks, hiddenSize })
  return async function* ({ ids, maxLength }) {
    await using session = model.openSession({ maxLength })
    let data = new Float32Array(ids.length * hiddenSize).fill(0.1)
    while (true) {
      const outputs = await session.step({ shape: [data.length / hiddenSize, hiddenSize], data })
      // The scale of embeddings, so that the numbers are similar to those of an answer.
      data = outputs.data.slice(-hiddenSize).map((value) => Math.tanh(value))
      yield { token: 0, servers: session.route.map(({ peer }) => peer) }
    }
  }
}

await answerChats(kind === 'null' ? await openNull() : await openOurs())
