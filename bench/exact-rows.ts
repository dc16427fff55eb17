// node --conditions=petals-chat-source bench/exact-rows.ts [--model NAME] [--threads N]
//
// Measures how long the LM head and the sampler take for a token of a real chat, and how many exact rows they need.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { SamplingParams } from '../packages/engine/src/index.ts'
import { openLocalLayers, type LocalLayers } from '../packages/petals/src/layers/local-layers.ts'
import { describeToken } from '../packages/petals/src/sampling/logprobs.ts'
import { createSampler } from '../packages/petals/src/sampling/sampler.ts'
import type { Logits } from '../packages/petals/src/tensor/logits.ts'
import { ensureModel, findModel } from '../swarm/models.ts'
import { cacheFolder, python } from '../swarm/paths.ts'
import { run } from '../swarm/run.ts'
import { folderFiles } from '../tests/support/folder-files.ts'
import { median, quartiles, rounded } from './support/statistics.ts'

const script = fileURLToPath(new URL('python/answer_states.py', import.meta.url))

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'SmolLM2-135M-Instruct' },
    threads: { type: 'string', default: '1' },
  },
})

/** How the token is chosen from the logits. */
type Use = (logits: Logits) => void

/** The history of a chat, for penalties. */
const history = { tokens: Array.from({ length: 200 }, (_, i) => i * 7), answerStart: 100 }

const sampling = (params: SamplingParams): Use => {
  const sampler = createSampler(params, 1)
  return (logits) => void sampler.sample(logits, history)
}

const uses: Readonly<Record<string, Use>> = {
  greedy: sampling({ temperature: 0 }),
  'greedy, repetition penalty 1.2': sampling({ temperature: 0, repetitionPenalty: 1.2 }),
  'temperature 0.6, top-p 0.9': sampling({ temperature: 0.6, topP: 0.9 }),
  'temperature 1, top-p 0.95': sampling({ temperature: 1, topP: 0.95 }),
  'temperature 1, top-k 40': sampling({ temperature: 1, topK: 40 }),
  'temperature 1': sampling({ temperature: 1 }),
  'log probabilities': (logits) => void describeToken(logits, 0, 5),
}

/** Counts the rows that are read to compute exact logits. */
function counting(logits: Logits): { readonly logits: Logits; readonly asked: ReadonlySet<number> } {
  const asked = new Set<number>()
  const exact = (token: number): number => {
    asked.add(token)
    return logits.exact(token)
  }
  const { size, ceilings } = logits
  const bounds = {
    estimate: (token: number) => logits.estimate(token),
    margin: (token: number) => logits.margin(token),
  }
  return { logits: { size, ceilings, ...bounds, exact }, asked }
}

async function measure(layers: LocalLayers, states: readonly Float32Array[], use: Use) {
  const headMs: number[] = []
  const useMs: number[] = []
  const rows: number[] = []
  for (let round = 0; round < 2; round++) {
    for (const data of states) {
      const begin = performance.now()
      const [logits] = await layers.logits({ shape: [1, data.length], data })
      const middle = performance.now()
      const counted = counting(logits!)
      use(counted.logits)
      if (round === 0) continue // warm-up
      headMs.push(middle - begin)
      useMs.push(performance.now() - middle)
      rows.push(counted.asked.size)
    }
  }
  const mean = rows.reduce((sum, count) => sum + count, 0) / rows.length
  return {
    'head, ms': rounded(median(headMs)),
    'choice, ms': rounded(median(useMs)),
    'choice, three quarters below': rounded(quartiles(useMs)[1]),
    'exact rows': median(rows),
    'mean rows': rounded(mean, 0),
  }
}

await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const scratch = await mkdtemp(path.join(cacheFolder, 'bench', 'exact-rows-'))
try {
  const folder = await ensureModel(findModel(values.model))
  await run(python, [script, folder, path.join(scratch, 'states')])
  const bytes = new Uint8Array(await readFile(path.join(scratch, 'states')))
  await using layers = await openLocalLayers(folderFiles(folder), {
    folder: scratch,
    threads: Number(values.threads),
  })
  const { hiddenSize } = layers.architecture
  const all = new Float32Array(bytes.buffer)
  const states = Array.from({ length: all.length / hiddenSize }, (_, i) =>
    all.subarray(i * hiddenSize, (i + 1) * hiddenSize),
  )
  const table: Record<string, object> = {}
  for (const [name, use] of Object.entries(uses)) table[name] = await measure(layers, states, use)
  console.log(`${values.model}, ${states.length} tokens, ${values.threads} thread(s)`)
  console.table(table)
} finally {
  await rm(scratch, { recursive: true, force: true })
}
