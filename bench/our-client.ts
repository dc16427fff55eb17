// node --conditions=petals-chat-source bench/our-client.ts [--push auto|always|never] [--speculation off|auto] [--standby off|auto|always] [--draft GGUF_FILE] CACHE_FOLDER MODEL_FOLDER DHT_PREFIX INITIAL_PEER...
//
// The swarm engine as a separate program, with the line protocol of python/petals_client.py.
import { parseArgs } from 'node:util'
import { greedy } from '@petals-chat/engine'
import { createModelStore, hubConfigSchema } from '@petals-chat/hub'
import { createPetalsEngine, petalsModelSchema, swarmConfigSchema } from '@petals-chat/petals'
import { AnswerClock, answerLines } from './support/answer-lines.ts'
import { createDraftEngine } from './support/draft-figures.ts'

const { values, positionals } = parseArgs({
  options: {
    push: { type: 'string', default: 'auto' },
    speculation: { type: 'string', default: 'off' },
    standby: { type: 'string', default: 'auto' },
    draft: { type: 'string' },
  },
  allowPositionals: true,
})
const [cacheFolder = '', source, dhtPrefix, ...initialPeers] = positionals

const store = createModelStore(hubConfigSchema.parse({ offline: true }))
const config = swarmConfigSchema.parse({
  initialPeers,
  serverToServer: values.push,
  speculation: values.speculation,
  standby: values.standby,
})
await using drafts = values.draft === undefined ? undefined : createDraftEngine(values.draft)
await using engine = createPetalsEngine(config, {
  loadDraft: drafts?.loadDraft,
  openFiles: (from, options) => store.openFiles(from, options),
  cacheFolder,
})
const spec = petalsModelSchema.parse({
  id: 'bench',
  engine: 'petals',
  source,
  dhtPrefix,
  ...(values.draft !== undefined && { speculation: { draft: values.draft } }),
})
await using model = await engine.load(spec)

await answerLines(async ({ ids, newTokens, maxLength, prewarms = false }) => {
  let clock = new AnswerClock()
  await using session = await model.openSession({ maxLength })
  if (prewarms) {
    await session.prewarm?.({ promptLength: ids.length })
    clock = new AnswerClock()
  }
  const answer: number[] = []
  for await (const { token } of session.generate(ids, { sampling: greedy, maxNewTokens: newTokens })) {
    clock.token()
    answer.push(token)
  }
  const timed = clock.done(answer)
  const standbys = session.route?.().hops.map(({ standby }) => standby?.position)
  return { ...timed, standbys, drafts: session.drafts?.(), draftModel: await drafts?.measure(ids, answer) }
})
