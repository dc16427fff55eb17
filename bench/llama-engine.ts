// node --conditions=petals-chat-source bench/llama-engine.ts [--rounds N] [--threads N] [--tokens N] [--json FILE]
//
// Compares the local engine, with its child process, with node-llama-cpp called directly: the same file and the same number of
// threads, alternating within each round. Sampling is greedy, so both compute the same tokens.
import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { getLlama } from 'node-llama-cpp'
import { greedy, type TokenId } from '../packages/engine/src/index.ts'
import { createLlamaEngine, llamaConfigSchema, llamaModelSchema } from '../packages/llama/src/index.ts'
import type { LlamaModel } from '../packages/llama/src/llama-model.ts'
import { defaultModelPath } from '../tests/support/model.ts'
import { processCpuSeconds } from './support/process-cpu.ts'
import { median, quartiles, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '128' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const threads = Number(values.threads)
const answerLength = Number(values.tokens)
const contextLength = 1024
const sequences = 4

const scenarios = [
  { name: 'short prompt', promptLength: 36, side: 1 },
  { name: 'long prompt', promptLength: 512, side: 1 },
  { name: 'four at once', promptLength: 36, side: sequences },
] as const
type Scenario = (typeof scenarios)[number]

/** The measurements of one contender in one round. */
interface Run {
  /** From the call to the first token of any answer. */
  readonly firstTokenMs: number
  /** The speed of all answers together, after their first tokens. */
  readonly tokensPerSecond: number
  /** CPU time of all processes per token of prompts and answers, which does not depend on the load of the machine. */
  readonly cpuMsPerToken: number
  readonly tokens: readonly TokenId[]
}

interface Contender {
  /** Answers all prompts concurrently, each with `count` tokens. */
  answer(prompts: readonly (readonly TokenId[])[], count: number): Promise<Run>
}

/** Reads the tokens of all answers concurrently. `cpuMs` returns the CPU time used so far. */
async function measure(
  answers: readonly AsyncIterable<TokenId>[],
  { count, promptTokens, cpuMs }: { count: number; promptTokens: number; cpuMs: () => Promise<number> },
): Promise<Run> {
  const cpuBefore = await cpuMs()
  const startedAt = performance.now()
  const reads = answers.map(async (answer) => {
    const tokens: TokenId[] = []
    let firstAt = 0
    for await (const token of answer) {
      if (tokens.push(token) === 1) firstAt = performance.now()
      if (tokens.length === count) break
    }
    return { tokens, firstAt, lastAt: performance.now() }
  })
  const done = await Promise.all(reads)
  const firstAt = Math.min(...done.map((each) => each.firstAt))
  const lastAt = Math.max(...done.map((each) => each.lastAt))
  return {
    firstTokenMs: firstAt - startedAt,
    tokensPerSecond: ((count - 1) * answers.length * 1000) / (lastAt - firstAt),
    cpuMsPerToken: ((await cpuMs()) - cpuBefore) / (promptTokens + count * answers.length),
    tokens: done.flatMap(({ tokens }) => tokens),
  }
}

const lengthOf = (prompts: readonly (readonly TokenId[])[]): number =>
  prompts.reduce((sum, prompt) => sum + prompt.length, 0)

async function ownCpuMs(): Promise<number> {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function plainContender(path: string): Promise<Contender> {
  const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: threads })
  const model = await llama.loadModel({ modelPath: path })
  const context = await model.createContext({
    contextSize: contextLength,
    sequences,
    threads,
    batchSize: 512,
  })
  const slots = Array.from({ length: sequences }, () => context.getSequence())
  return {
    async answer(prompts, count) {
      await Promise.all(slots.map((slot) => slot.clearHistory()))
      const options = { temperature: 0, yieldEogToken: true }
      const answers = prompts.map((prompt, index) =>
        slots[index]!.evaluate(prompt as Parameters<(typeof slots)[0]['evaluate']>[0], options),
      )
      return measure(answers, { count, promptTokens: lengthOf(prompts), cpuMs: ownCpuMs })
    },
  }
}

async function* ids(answer: AsyncIterable<{ readonly token: TokenId }>): AsyncGenerator<TokenId> {
  for await (const { token } of answer) yield token
}

async function openOurs(path: string) {
  const config = llamaConfigSchema.parse({ gpu: 'off', threads, sequences, contextLength })
  const engine = createLlamaEngine(config, { resolveFile: async () => path })
  const spec = llamaModelSchema.parse({ id: 'bench', engine: 'llama', source: path })
  const model = (await engine.load(spec)) as LlamaModel
  const slots = await Promise.all(
    Array.from({ length: sequences }, () => model.openSession({ maxLength: contextLength })),
  )
  const contender: Contender = {
    async answer(prompts, count) {
      await Promise.all(slots.map((slot) => slot.truncate(0)))
      const answers = prompts.map((prompt, index) =>
        ids(slots[index]!.generate(prompt, { sampling: greedy })),
      )
      const cpuMs = async () => (await ownCpuMs()) + 1000 * (await processCpuSeconds(model.pid!))
      return measure(answers, { count, promptTokens: lengthOf(prompts), cpuMs })
    },
  }
  return { engine, model, contender }
}

const path = await defaultModelPath()
const { engine, model, contender: ours } = await openOurs(path)
const plain = await plainContender(path)
const text = 'The history of the printing press begins long before Gutenberg, in China and Korea. '.repeat(60)
const allTokens = model.tokenizer.encode(text)
const promptOf = ({ promptLength }: Scenario, index: number) => allTokens.slice(index, index + promptLength)

interface Row {
  readonly scenario: string
  readonly metric: string
  readonly ours: number
  readonly plain: number
  /** The ratio of ours to plain in the same round: above 1 is better for tokens/s, below 1 for times. */
  readonly ratio: number
  readonly ratioQuartiles: readonly [number, number]
}

const metrics = [
  ['tokensPerSecond', 'tokens/s'],
  ['firstTokenMs', 'first token ms'],
  ['cpuMsPerToken', 'CPU ms/token'],
] as const

async function compare(scenario: Scenario): Promise<Row[]> {
  const prompts = Array.from({ length: scenario.side }, (_, index) => promptOf(scenario, index))
  const pairs: Array<{ readonly ours: Run; readonly plain: Run }> = []
  let same = 0
  for (let round = -1; round < rounds; round++) {
    const order = round % 2 === 0 ? [ours, plain] : [plain, ours]
    const runs = new Map<Contender, Run>()
    for (const contender of order) runs.set(contender, await contender.answer(prompts, answerLength))
    const pair = { ours: runs.get(ours)!, plain: runs.get(plain)! }
    if (round < 0) continue // warms up
    pairs.push(pair)
    if (pair.ours.tokens.join() === pair.plain.tokens.join()) same++
  }
  process.stderr.write(`${scenario.name}: the same tokens in ${same} of ${rounds} rounds\n`)
  return metrics.map(([metric, label]) => {
    const ratios = pairs.map((pair) => pair.ours[metric] / pair.plain[metric])
    const [low, high] = quartiles(ratios)
    return {
      scenario: scenario.name,
      metric: label,
      ours: rounded(median(pairs.map((pair) => pair.ours[metric]))),
      plain: rounded(median(pairs.map((pair) => pair.plain[metric]))),
      ratio: rounded(median(ratios), 3),
      ratioQuartiles: [rounded(low, 3), rounded(high, 3)],
    }
  })
}

const rows: Row[] = []
for (const scenario of scenarios) rows.push(...(await compare(scenario)))
await engine[Symbol.asyncDispose]()

const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}`
console.log(`${machine}; ${threads} threads, ${rounds} rounds, ${answerLength} tokens an answer`)
console.table(
  Object.fromEntries(rows.map(({ scenario, metric, ...figures }) => [`${scenario}, ${metric}`, figures])),
)
if (values.json)
  await writeFile(
    values.json,
    `${JSON.stringify({ machine, threads, rounds, answerLength, rows }, null, 2)}\n`,
  )
process.exit(0)
