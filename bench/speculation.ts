// node --conditions=petals-chat-source bench/speculation.ts [--rtts 0,100] [--servers N] [--rounds N] [--tokens N] [--model NAME] [--texts NAMES] [--draft default|GGUF_FILE] [--without NAMES] [--json FILE]
//
// Measures decoding with tokens that are guessed in advance, against the same client without them and against the Python client,
// alternating, on servers that can rewind. Every link has a round trip of R, by a TCP relay in front of a server; R = 0: loopback
// without relays. Three texts: one that quotes its prompt, prose that repeats nothing, and a mixed one. With --draft, also this
// client with a draft model (default: SmolLM2's GGUF file), beside the least time that a token could take by the formula
// (step of k + 1 tokens + k drafts) / E(α, k): its α is how often the model would have guessed the answer's tokens, the times
// are measured on the same servers. --without 'Python client' leaves a client out.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { findModel } from '../swarm/models.ts'
import { cacheFolder } from '../swarm/paths.ts'
import { readArchitecture } from '../packages/petals/src/layers/architecture.ts'
import { folderFiles } from '../tests/support/folder-files.ts'
import { startSwarm } from '../swarm/swarm.ts'
import { openFolderTokenizer } from '../tests/interop/support/folder-tokenizer.ts'
import { defaultModelPath } from '../tests/support/model.ts'
import { bestTokenMs, measureStepTimes, type DraftFigures } from './support/draft-figures.ts'
import { describeMachine } from './support/machine.ts'
import { median, quartiles, rounded } from './support/statistics.ts'
import { startClient, type MeasuredAnswer, type SwarmClient } from './support/swarm-clients.ts'

const { values } = parseArgs({
  options: {
    rtts: { type: 'string', default: '0,100' },
    servers: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '64' },
    model: { type: 'string', default: 'SmolLM2-135M-Instruct' },
    texts: { type: 'string', default: 'quoting,prose,mixed' },
    draft: { type: 'string' },
    without: { type: 'string', default: '' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const newTokens = Number(values.tokens)

const document = `The lighthouse on Gull Rock was built in 1874 by Margaret Oakes, a widow from the village of Penlow. Its lamp burned
whale oil until 1911, when the keeper Tom Hallett replaced it with a paraffin burner of his own design. In the winter of 1923 a
storm broke four of the nine panes, and Hallett held a tarpaulin over the gap for thirty hours so that the mail boat could pass.`

const list = [
  'anvil',
  'basket',
  'candle',
  'drum',
  'easel',
  'feather',
  'goblet',
  'hammer',
  'inkwell',
  'jacket',
]

const texts = {
  quoting: `${document}\n\n${document}\n\nThe lighthouse on Gull Rock was`,
  prose: 'My first week as an apprentice baker began badly, because',
  mixed: `${list.map((name, i) => `{"item": "${name}", "shelf": ${i * 7 + 3}, "note": "The ${name} is`).join(' old."}\n')}`,
} as const
type Text = keyof typeof texts

const allWays = ['Python client', 'plain', 'speculation', 'draft model'] as const
type Way = (typeof allWays)[number]
const draft = values.draft === 'default' ? await defaultModelPath() : values.draft
const without = new Set(values.without.split(','))
const ways = allWays.filter((way) => !without.has(way) && (way !== 'draft model' || draft !== undefined))
/** What the ratios are against. */
const fastest: Way = draft === undefined ? 'speculation' : 'draft model'

interface Row {
  readonly rttMs: number
  readonly text: Text
  /** Milliseconds per token of each round. */
  readonly tokenMs: Readonly<Record<Way, readonly number[]>>
  /** Tokens that were guessed in one answer. */
  readonly accepted: number
  readonly rejected: number
  /** All clients chose the same tokens. */
  readonly identical: boolean
  /** Of the client with a draft model. */
  readonly draftModel?: (DraftFigures & { readonly bestMs: number }) | undefined
}

async function measureText(
  clients: ReadonlyMap<Way, SwarmClient>,
  text: Text,
  ids: readonly number[],
  { rttMs, stepTimes }: { readonly rttMs: number; readonly stepTimes: ReadonlyMap<number, number> },
): Promise<Row> {
  const tokenMs: Record<Way, number[]> = {
    'Python client': [],
    plain: [],
    speculation: [],
    'draft model': [],
  }
  const answers = new Set<string>()
  let last: MeasuredAnswer | undefined
  // The first round warms up, and lets the client learn what steps of several tokens cost.
  for (let round = -1; round < rounds; round++) {
    const order = round % 2 === 0 ? ways : ways.toReversed()
    for (const way of order) {
      const answer = await clients.get(way)!.answer({ ids, newTokens, maxLength: ids.length + newTokens })
      answers.add(answer.ids.join())
      if (way === fastest) last = answer
      if (round >= 0) tokenMs[way].push((answer.decodeSeconds * 1000) / (newTokens - 1))
    }
  }
  const { accepted = 0, rejected = 0 } = last?.drafts ?? {}
  const figures = last?.draftModel
  const draftModel = figures && { ...figures, bestMs: bestTokenMs(stepTimes, figures) }
  const row = { rttMs, text, tokenMs, accepted, rejected, identical: answers.size === 1, draftModel }
  console.error(JSON.stringify({ ...row, ...summary(row) }))
  return row
}

const medianOf = ({ tokenMs }: Row, way: Way): number => median(tokenMs[way])
/** The median of the ratios of the rounds: both were measured one after the other. */
const ratio = ({ tokenMs }: Row, way: Way): number =>
  median(tokenMs[way].map((ms, round) => ms / tokenMs[fastest][round]!))

function summary(row: Row) {
  return {
    ...Object.fromEntries(
      ways.map((way) => [
        `${way}, ms/token`,
        `${rounded(medianOf(row, way), 1)} (${quartiles(row.tokenMs[way])
          .map((ms) => rounded(ms, 1))
          .join(' … ')})`,
      ]),
    ),
    ...Object.fromEntries(
      ways.filter((way) => way !== fastest).map((way) => [`${way} / ${fastest}`, rounded(ratio(row, way))]),
    ),
    ...(row.draftModel && {
      α: rounded(row.draftModel.acceptance),
      'a draft, ms': rounded(row.draftModel.tokenMs, 1),
      'draft model / best by α': rounded(medianOf(row, 'draft model') / row.draftModel.bestMs),
    }),
  }
}

async function measureLinks(rttMs: number, folder: string): Promise<readonly Row[]> {
  const servers = Number(values.servers)
  await using swarm = await startSwarm({
    model: values.model,
    blocksPerServer: Math.ceil(findModel(values.model).blocks / servers),
    canRewind: true,
    ...(rttMs > 0 ? { relay: { latencyMs: rttMs / 2 } } : {}),
    // Servers measure the round trips to each other at every update.
    extra: ['--update_period', '10'],
    onProgress: console.error,
  })
  const { tokenizer } = await openFolderTokenizer(swarm.modelFolder)
  await using resources = new AsyncDisposableStack()
  const clients = new Map<Way, SwarmClient>()
  for (const way of ways) {
    const kind = way === 'Python client' ? way : 'Petals Chat'
    const speculation = way === 'speculation' || way === 'draft model' ? 'auto' : 'off'
    const options = {
      cacheFolder: folder,
      speculation,
      draft: way === 'draft model' ? draft : undefined,
    } as const
    clients.set(way, resources.use(await startClient(kind, swarm, options)))
  }
  const { hiddenSize } = await readArchitecture(folderFiles(swarm.modelFolder))
  const { dhtPrefix, blocks: numBlocks } = findModel(values.model)
  const place = { dhtPrefix, numBlocks, hiddenSize }
  const stepTimes = draft === undefined ? new Map<number, number>() : await measureStepTimes(swarm, place, 80)
  const rows: Row[] = []
  for (const text of values.texts.split(',') as Text[]) {
    const ids = tokenizer.encode(texts[text], { addSpecialTokens: true })
    rows.push(await measureText(clients, text, ids, { rttMs, stepTimes }))
  }
  return rows
}

const machine = describeMachine()
await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const folder = await mkdtemp(path.join(cacheFolder, 'bench', 'heads-'))
const report: Row[] = []
try {
  for (const rtt of values.rtts.split(',').map(Number)) report.push(...(await measureLinks(rtt, folder)))
} finally {
  await rm(folder, { recursive: true, force: true })
}
console.log({ ...machine, loadAfter: describeMachine().load, rounds, tokens: newTokens })
console.table(
  report.map((row) => ({
    'R, ms': row.rttMs,
    text: row.text,
    ...summary(row),
    accepted: row.accepted,
    rejected: row.rejected,
    'same tokens': row.identical,
  })),
)
if (values.json) await writeFile(values.json, JSON.stringify({ machine, rounds, report }, null, 2))
if (report.some(({ identical }) => !identical)) process.exitCode = 1
