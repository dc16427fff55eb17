// node --conditions=petals-chat-source bench/null-client.ts MODEL_FOLDER DHT_PREFIX INITIAL_PEER...
//
// The minimal client: it sends the last server's output to the first one again, without embedding or head. Its time is that of
// the servers and the network.
import { connectSwarm } from '@petals-chat/petals/client'
import { readArchitecture } from '../packages/petals/src/layers/architecture.ts'
import { folderFiles } from '../tests/support/folder-files.ts'
import { AnswerClock, answerLines } from './support/answer-lines.ts'

const [folder = '', dhtPrefix = '', ...initialPeers] = process.argv.slice(2)
const { hiddenSize, blocks: numBlocks } = await readArchitecture(folderFiles(folder))
await using client = await connectSwarm({ initialPeers })
const model = client.openModel({ dhtPrefix, numBlocks, hiddenSize })

await answerLines(async ({ ids, newTokens, maxLength }) => {
  const clock = new AnswerClock()
  await using session = model.openSession({ maxLength })
  let data = new Float32Array(ids.length * hiddenSize).fill(0.1)
  for (let taken = 0; taken < newTokens; taken++) {
    const outputs = await session.step({ shape: [data.length / hiddenSize, hiddenSize], data })
    // The scale of embeddings, so that the numbers are similar to those of an answer.
    data = outputs.data.slice(-hiddenSize).map((value) => Math.tanh(value))
    clock.token()
  }
  return clock.done([])
})
