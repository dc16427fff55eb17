// node --conditions=petals-chat-source bench/null-client.ts MODEL_FOLDER DHT_PREFIX INITIAL_PEER...
//
// The least that a client can do: what the last server answers goes to the first one again, with no embedding and no head.
// What an answer takes then is the servers' own time and the way there.
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
    // The scale of embeddings, so that numbers stay as they are in an answer.
    data = outputs.data.slice(-hiddenSize).map((value) => Math.tanh(value))
    clock.token()
  }
  return clock.done([])
})
