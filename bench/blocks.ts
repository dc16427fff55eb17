// npm run bench:blocks -- [--rounds N] [--threads N] [--only NAME,…]
//
// Steps of 15 blocks of SmolLM2 by the engine of packages/blocks, in several types of weights, and by torch, alternating: one
// token after 100 others, one token of each of 8 sessions at once, 512 tokens. Wall time and CPU time of one step, and the
// memory of the process that computes (PSS).
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  openBlockModel,
  startBlockEngine,
  type BlockCache,
  type NativeBlockEngine,
} from '@petals-chat/blocks'
import { ensureModel, findModel } from '../swarm/models.ts'
import { python } from '../swarm/paths.ts'
import { folderFiles } from '../tests/support/folder-files.ts'
import { defaultModelPath } from '../tests/support/model.ts'
import { startLinePeer } from './support/line-peer.ts'
import { describeMachine } from './support/machine.ts'
import { processCpuSeconds, processProportionalBytes } from './support/process-cpu.ts'
import { median, rounded } from './support/statistics.ts'

const script = fileURLToPath(new URL('python/block_span.py', import.meta.url))
const [blocks, hidden, context] = [15, 576, 100]
const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
})
const threads = Number(flags.threads)

interface Measured {
  readonly ms: number
  readonly cpuMs: number
}
const works = ['1 token', '8 sessions x 1', '512 tokens'] as const
type Work = (typeof works)[number]
const repeats: Readonly<Record<Work, number>> = { '1 token': 20, '8 sessions x 1': 10, '512 tokens': 1 }

interface Contender extends AsyncDisposable {
  readonly name: string
  measure(work: Work): Promise<Measured>
  memory(): Promise<number>
}

const states = (tokens: number): Float32Array =>
  Float32Array.from({ length: tokens * hidden }, (_, index) => Math.sin(index * 12.9898) * 2)

const proportionalMiB = async (pid: number): Promise<number> =>
  (await processProportionalBytes(pid)) / 2 ** 20

async function torch(): Promise<Contender> {
  const folder = await ensureModel(findModel('SmolLM2-135M-Instruct'))
  const peer = await startLinePeer(python, [script, folder, String(blocks), String(threads)])
  const ask = async (tokens: number, before: number, repeat: number) =>
    (await peer.ask({ tokens, context: before, repeat })) as Measured
  return {
    name: 'torch F32',
    async measure(work) {
      if (work === '512 tokens') return await ask(512, 0, repeats[work])
      const one = await ask(1, context, repeats[work])
      // Its server computes sessions one after the other.
      return work === '1 token' ? one : { ms: one.ms * 8, cpuMs: one.cpuMs * 8 }
    },
    memory: () => proportionalMiB(peer.group),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  }
}

const span = { start: 0, end: blocks }

async function ours(name: string, start: () => Promise<NativeBlockEngine>): Promise<Contender> {
  const engine = await start()
  const open = () => engine.openCache({ ...span, batch: 1, maxLength: 512, timeoutMs: 0 })
  const caches = await Promise.all(Array.from({ length: 8 }, open))
  for (const cache of caches)
    await cache.step({ ...span, batch: 1, tokens: context, states: states(context) })
  const step = (cache: BlockCache, tokens: number, position: number) =>
    cache.step({ ...span, batch: 1, tokens, position, states: states(tokens) })
  const run: Readonly<Record<Work, () => Promise<unknown>>> = {
    '1 token': () => step(caches[0]!, 1, context),
    '8 sessions x 1': () => Promise.all(caches.map((cache) => step(cache, 1, context))),
    '512 tokens': () => step(caches[7]!, 512, 0),
  }
  return {
    name,
    async measure(work) {
      // The first one builds the graph.
      await run[work]()
      const before = await processCpuSeconds(engine.pid!)
      const walls: number[] = []
      for (let repeat = 0; repeat < repeats[work]; repeat++) {
        const startedAt = performance.now()
        await run[work]()
        walls.push(performance.now() - startedAt)
      }
      const cpuSeconds = (await processCpuSeconds(engine.pid!)) - before
      if (work === '512 tokens') await step(caches[7]!, context, 0)
      return { ms: median(walls), cpuMs: (cpuSeconds * 1000) / repeats[work] }
    },
    memory: () => proportionalMiB(engine.pid!),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}

async function hf(weights: 'as-stored' | 'f16' | 'bf16' | 'q8_0', cacheType: 'f16' | 'f32' = 'f16') {
  const model = await openBlockModel(folderFiles(await ensureModel(findModel('SmolLM2-135M-Instruct'))))
  return await startBlockEngine({ model, ...span, weights, cacheType, threads, cacheTokens: 16_384 })
}

async function gguf() {
  const place = await defaultModelPath()
  const model = await openBlockModel(folderFiles(path.dirname(place)), { file: path.basename(place) })
  return await startBlockEngine({ model, ...span, threads, cacheTokens: 16_384 })
}

const makers: Readonly<Record<string, () => Promise<Contender>>> = {
  torch,
  F32: () => ours('F32', () => hf('as-stored')),
  'F32-KV32': () => ours('F32, KV F32', () => hf('as-stored', 'f32')),
  BF16: () => ours('BF16', () => hf('bf16')),
  F16: () => ours('F16', () => hf('f16')),
  Q8_0: () => ours('Q8_0', () => hf('q8_0')),
  Q4_1: () => ours('Q4_1', gguf),
}

const wanted = flags.only?.split(',') ?? Object.keys(makers)
const contenders: Contender[] = []
for (const name of wanted) contenders.push(await makers[name]!())
const results = new Map<string, Measured[]>()
for (let round = 0; round < Number(flags.rounds); round++)
  for (const work of works)
    for (const contender of contenders) {
      const key = `${contender.name}/${work}`
      const measured = await contender.measure(work)
      results.set(key, [...(results.get(key) ?? []), measured])
      console.error(key, rounded(measured.ms, 1), rounded(measured.cpuMs, 1))
    }
console.log(JSON.stringify(describeMachine()))
const baseline = contenders[0]!.name
for (const { name, memory } of contenders) {
  const cells = works.map((work) => {
    const of = (contender: string, what: keyof Measured) =>
      median(results.get(`${contender}/${work}`)!.map((each) => each[what]))
    const [ms, cpuMs] = [of(name, 'ms'), of(name, 'cpuMs')]
    const ratios = [of(baseline, 'ms') / ms, of(baseline, 'cpuMs') / cpuMs].map((each) => rounded(each, 1))
    return `${work}: ${rounded(ms, 1)} ms, CPU ${rounded(cpuMs, 1)} ms (${baseline} takes ${ratios[0]}x, CPU ${ratios[1]}x)`
  })
  console.log(`${name} | ${cells.join(' | ')} | ${rounded(await memory(), 0)} MiB PSS`)
}
await Promise.all(contenders.map((each) => each[Symbol.asyncDispose]()))
process.exit()
