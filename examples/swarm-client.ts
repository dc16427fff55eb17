// node examples/swarm-client.ts DHT_PREFIX HIDDEN_SIZE INITIAL_PEER...
//
// Runs hidden states through the blocks of a model that a Petals swarm serves. They are random here: a program that
// generates text embeds its tokens before the blocks, and applies the model's norm and LM head to their outputs.
import { connectSwarm } from '@petals-chat/petals/client'

const [dhtPrefix, hiddenSize, ...initialPeers] = process.argv.slice(2)
await using client = await connectSwarm({ initialPeers })

const registered = (await client.listModels()).find((model) => model.dhtPrefix === dhtPrefix)
if (!registered) throw new Error(`No server of this swarm has registered the model ${dhtPrefix}.`)
const model = client.openModel({ ...registered, hiddenSize: Number(hiddenSize) })

for (const { peer, start, end } of await model.directory.findSpans())
  console.log(`server ${peer}: blocks ${start} to ${end - 1} of ${model.numBlocks}`)

await using session = model.openSession({ maxLength: 64 })
const random = Float32Array.from({ length: 6 * model.hiddenSize }, () => Math.random() - 0.5)
const prompt = random.subarray(model.hiddenSize) // five tokens; the servers keep their keys and values
await session.step({ shape: [5, model.hiddenSize], data: prompt })
const next = random.subarray(0, model.hiddenSize) // one more token
const { shape, data } = await session.step({ shape: [1, model.hiddenSize], data: next })

for (const { peer, start, end } of session.route) console.log(`hop: blocks ${start} to ${end - 1} on ${peer}`)
console.log(`outputs: shape [${shape.join(', ')}], finite: ${data.every(Number.isFinite)}`)
