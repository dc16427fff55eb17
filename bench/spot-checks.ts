// node --conditions=petals-chat-source bench/spot-checks.ts [--model NAME] [--kinds KIND,…] [--tokens N] [--runs N] [--only LIE,…]
//
// How far the outputs of honest servers are apart, whether a long honest run raises a false alarm, and after how many tokens a
// server that lies is found. A kind of servers for each replica: float32 or bfloat16 of Petals' Python server; native-f32 or
// native-q8_0 without Python, with keys and values of 16 bits. Exits with 1 after a false alarm, or if an honest server is taken for the liar.
import { parseArgs } from 'node:util'
import { aspects } from '../packages/petals/src/audit/difference.ts'
import { startSwarm } from '../swarm/swarm.ts'
import { startNativeProcess } from '../tests/interop/support/native-server.ts'
import { openSwarmEngine } from '../tests/interop/support/swarm-engine.ts'
import {
  answerUntil,
  checkLogger,
  lieRun,
  lies,
  withVerdict,
  type LieRun,
} from '../tests/support/spot-check-runs.ts'
import { describeMachine } from './support/machine.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'stories15M' },
    kinds: { type: 'string', default: 'float32,float32,float32' },
    tokens: { type: 'string', default: '5000' },
    runs: { type: 'string', default: '4' },
    only: { type: 'string', default: lies.join() },
  },
})
const prompts = [
  'Once upon a time',
  'The capital of France is',
  'One day, a little girl named Lily found a needle in her room. She knew it was difficult to play with it because',
]
const model = values.model
const kinds = values.kinds.split(',')
const [first, ...others] = kinds.map(serverKind)
if (first?.dtype === undefined) throw new Error('--kinds: the first replica must be of Python servers.')
await using swarm = await startSwarm({
  model,
  dtype: first.dtype,
  replicas: 1,
  canLie: true,
  onProgress: console.error,
})
const spans = [...swarm.servers]
await using replicas = new AsyncDisposableStack()
for (const [i, kind] of others.entries()) {
  for (const { start, end } of spans) {
    const name = `replica-${i + 1}`
    if (kind.dtype) await swarm.add({ start, end, name, dtype: kind.dtype })
    else
      replicas.use(
        await startNativeProcess({ ...swarm, model: swarm, start, end, name, weights: kind.weights }),
      )
  }
}

const { logger, checks } = checkLogger()
const alarms = () => checks.filter(({ likeness }) => likeness === 'different')
const wanted = Number(values.tokens)
let tokens = 0
const accused: string[] = []
{
  await using engine = await openSwarmEngine(swarm, model, { connectTimeoutMs: 20_000 }, logger)
  tokens = await answerUntil(engine, prompts, 200, (count) => {
    if (count % 1000 === 0)
      console.error(`${count} of ${wanted} tokens, ${checks.length} checks, ${alarms().length} alarms`)
    return count >= wanted
  })
  for (const kind of ['wrong', 'disputed'] as const) accused.push(...(await withVerdict(engine, kind)))
}
const checked = checks.reduce((sum, { end }) => sum + end, 0)
console.log({
  ...describeMachine(),
  model,
  kinds,
  tokens,
  checks: checks.length,
  checked,
  doubts: checks.filter(({ likeness }) => likeness === 'doubtful').length,
  alarms: alarms().length,
  accused,
})
for (const aspect of aspects) {
  const seen = checks.map((check) => check[aspect]).toSorted((a, b) => a - b)
  const at = (share: number) => seen[Math.floor(share * (seen.length - 1))]
  console.log(aspect, { median: at(0.5), most: at(1) })
}

const found: LieRun[] = []
const tried = lies.filter((lie) => values.only.split(',').includes(lie))
for (let run = 0; run < Number(values.runs); run++) {
  for (const lie of tried) {
    found.push(await lieRun(swarm, model, { lie, hop: run % 2, mostTokens: 2000, prompts }))
    console.error(found.at(-1))
  }
}
for (const lie of tried) {
  const runs = found.filter((each) => each.lie === lie)
  const lengths = runs.map((each) => each.tokens).toSorted((a, b) => a - b)
  console.log(lie, lengths, [...new Set(runs.map((each) => each.found))])
}
if (alarms().length > 0 || accused.length > 0 || found.some((each) => each.found === 'an honest server'))
  process.exitCode = 1

type ServerKind =
  | { readonly dtype: 'float32' | 'bfloat16' }
  | { readonly dtype?: undefined; readonly weights: 'f32' | 'q8_0' }

function serverKind(kind: string): ServerKind {
  if (kind === 'float32' || kind === 'bfloat16') return { dtype: kind }
  if (kind === 'native-f32') return { weights: 'f32' }
  if (kind === 'native-q8_0') return { weights: 'q8_0' }
  throw new Error(`--kinds: ${kind} is not one of float32, bfloat16, native-f32, native-q8_0.`)
}
