// node --conditions=petals-chat-source bench/spot-checks.ts [--model NAME] [--dtype float32|bfloat16] [--replicas N] [--tokens N] [--runs N]
//
// How far the outputs of honest servers are apart, whether a long honest run raises a false alarm, and after how many tokens a
// server that lies is found. Exits with 1 after a false alarm, or if an honest server is taken for the liar.
import { parseArgs } from 'node:util'
import { aspects } from '../packages/petals/src/audit/difference.ts'
import { startSwarm } from '../swarm/swarm.ts'
import { openSwarmEngine } from '../tests/interop/support/swarm-engine.ts'
import { answerUntil, checkLogger, lieRun, lies, type LieRun } from '../tests/support/spot-check-runs.ts'
import { describeMachine } from './support/machine.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'stories15M' },
    dtype: { type: 'string', default: 'float32' },
    replicas: { type: 'string', default: '3' },
    tokens: { type: 'string', default: '5000' },
    runs: { type: 'string', default: '4' },
  },
})
const prompts = [
  'Once upon a time',
  'The capital of France is',
  'One day, a little girl named Lily found a needle in her room. She knew it was difficult to play with it because',
]
const model = values.model
const dtype = values.dtype as 'float32' | 'bfloat16'
await using swarm = await startSwarm({
  model,
  dtype,
  replicas: Number(values.replicas),
  canLie: true,
  onProgress: console.error,
})

const { logger, checks } = checkLogger()
const wanted = Number(values.tokens)
let tokens = 0
{
  await using engine = await openSwarmEngine(swarm, model, { connectTimeoutMs: 20_000 }, logger)
  tokens = await answerUntil(engine, prompts, 200, (count) => count >= wanted)
}
const alarms = checks.filter(({ alike }) => !alike)
const checked = checks.reduce((sum, { end }) => sum + end, 0)
console.log({
  ...describeMachine(),
  model,
  dtype,
  tokens,
  checks: checks.length,
  checked,
  alarms: alarms.length,
})
for (const aspect of aspects) {
  const seen = checks.map((check) => check[aspect]).toSorted((a, b) => a - b)
  const at = (share: number) => seen[Math.floor(share * (seen.length - 1))]
  console.log(aspect, { median: at(0.5), most: at(1) })
}

const found: LieRun[] = []
for (let run = 0; run < Number(values.runs); run++) {
  for (const lie of lies) {
    found.push(await lieRun(swarm, model, { lie, hop: run % 2, mostTokens: 2000, prompts }))
    console.error(found.at(-1))
  }
}
for (const lie of lies) {
  const runs = found.filter((each) => each.lie === lie)
  const lengths = runs.map((each) => each.tokens).toSorted((a, b) => a - b)
  console.log(lie, lengths, [...new Set(runs.map((each) => each.found))])
}
if (alarms.length > 0 || found.some((each) => each.found === 'an honest server')) process.exitCode = 1
