// node examples/swarm-client.ts DHT_PREFIX HIDDEN_SIZE INITIAL_PEER...
//
// Runs hidden states through the blocks of a model that a Petals swarm serves. They are random here: a program that wants
// text embeds its tokens before the blocks, and applies the model's norm and LM head to what comes out of them.
import { connectSwarm } from '@petals-chat/petals/client'

const [dhtPrefix, hiddenSize, ...initialPeers] = process.argv.slice(2)
await using client = await connectSwarm({ initialPeers })

const registered = (await client.listModels()).find((model) => model.dhtPrefix === dhtPrefix)
if (!registered) throw new Error(`No server of this swarm has registered the model ${dhtPrefix}.`)
const model = client.openModel({ ...registered, hiddenSize: Number(hiddenSize) })

for (const { peer, start, end } of await model.directory.findSpans())
  console.log(`server ${peer}: blocks ${start} to ${end - 1} of ${model.numBlocks}`)

const randomStates = (tokens: number) => ({
  shape: [tokens, model.hiddenSize] as const,
  data: Float32Array.from({ length: tokens * model.hiddenSize }, () => Math.random() - 0.5),
})
await using session = model.openSession({ maxLength: 64 })
await session.step(randomStates(5)) // a prompt of five tokens; the servers keep their keys and values
const { shape, data } = await session.step(randomStates(1)) // the next token
console.log(
  `route: ${session.route.map(({ peer, start, end }) => `${start}-${end - 1} on ${peer}`).join(', ')}`,
)
console.log(`outputs: shape [${shape.join(', ')}], finite: ${data.every(Number.isFinite)}`)
