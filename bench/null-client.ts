// node --conditions=petals-chat-source bench/null-client.ts MODEL_FOLDER DHT_PREFIX INITIAL_PEER...
//
// The least that a client can do: what the last server answers goes to the first one again, with no embedding and no head.
// What an answer takes then is the servers' own time and the way there.
import { silentLogger, silentMetrics } from '@petals-chat/engine'
import { swarmConfigSchema } from '@petals-chat/petals'
import { noLimitsKnown, type InferenceContext } from '../packages/petals/src/inference/inference-context.ts'
import { ServerCapabilities } from '../packages/petals/src/inference/server-capabilities.ts'
import { StepTimes } from '../packages/petals/src/inference/step-times.ts'
import { createInferenceSession } from '../packages/petals/src/inference/swarm-inference-session.ts'
import { readArchitecture } from '../packages/petals/src/layers/architecture.ts'
import { ModelSwarms } from '../packages/petals/src/swarm/model-swarms.ts'
import { SwarmConnector } from '../packages/petals/src/swarm/swarm-connector.ts'
import { folderFiles } from '../tests/support/folder-files.ts'
import { AnswerClock, answerLines } from './support/answer-lines.ts'

const [folder = '', dhtPrefix = '', ...initialPeers] = process.argv.slice(2)
const config = swarmConfigSchema.parse({ initialPeers })
const { hiddenSize, blocks: numBlocks } = await readArchitecture(folderFiles(folder))
await using connector = new SwarmConnector({ config })
const connection = await connector.get()
await using swarms = new ModelSwarms({ config, logger: silentLogger, metrics: silentMetrics })
const { router } = swarms.of({ dhtPrefix, numBlocks }, connection)
const { rpc } = connection
const context: InferenceContext = {
  router,
  rpc,
  dhtPrefix,
  blocks: { start: 0, end: numBlocks },
  hiddenSize,
  config,
  logger: silentLogger,
  metrics: silentMetrics,
  times: new StepTimes(config.stepTimeoutMs),
  capabilities: new ServerCapabilities({ rpc, dhtPrefix, hiddenSize }),
  limits: noLimitsKnown(),
}

await answerLines(async ({ ids, newTokens, maxLength }) => {
  const clock = new AnswerClock()
  await using session = createInferenceSession(context, { maxLength })
  let data = new Float32Array(ids.length * hiddenSize).fill(0.1)
  for (let taken = 0; taken < newTokens; taken++) {
    const outputs = await session.step({ shape: [data.length / hiddenSize, hiddenSize], data })
    // The scale of embeddings, so that numbers stay as they are in an answer.
    data = outputs.data.slice(-hiddenSize).map((value) => Math.tanh(value))
    clock.token()
  }
  return clock.done([])
})
