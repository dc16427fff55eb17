// node --conditions=petals-chat-source bench/faults.ts [--runs N] [--seed N] [--json FILE]
//
// Kills servers in the middle of answers, in a swarm with at least two servers for each span. Checks that the answers are
// complete and identical, and measures the pauses.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { FaultHarness } from '../tests/support/fault-harness.ts'
import { killMoments, killRun, prepareKillPrompts, type KillRun } from '../tests/support/kill-runs.ts'
import { describeMachine } from './support/machine.ts'
import { quantile, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
})
const count = Number(values.runs)

const summaryOf = (name: string, runs: readonly KillRun[]) => {
  const pauses = runs.map(({ pauseMs }) => pauseMs / 1000)
  return {
    'kill -9': name,
    answers: runs.length,
    'complete and identical': runs.filter(({ identical }) => identical).length,
    failovers: runs.reduce((sum, { failovers }) => sum + failovers, 0),
    'pause median, s': rounded(quantile(pauses, 0.5)),
    'p95, s': rounded(quantile(pauses, 0.95)),
    'longest, s': rounded(Math.max(...pauses)),
  }
}

const machine = describeMachine()
const runs: KillRun[] = []
{
  await using harness = await FaultHarness.start({
    model: 'stories15M',
    // The third one restarts while answers continue with two.
    replicas: 3,
    required: 2,
    seed: Number(values.seed),
    onProgress: console.error,
  })
  const prompts = await prepareKillPrompts(harness)
  while (runs.length < count) {
    const run = await killRun(harness, prompts, killMoments[runs.length % killMoments.length]!)
    runs.push(run)
    console.error(`${runs.length} of ${count}: ${JSON.stringify(run)}`)
  }
}
const kinds = killMoments.map((moment) => ({ moment, of: runs.filter((run) => run.moment === moment) }))
const table = [
  ...kinds.filter(({ of }) => of.length > 0).map(({ moment, of }) => summaryOf(moment, of)),
  summaryOf('all', runs),
]
console.log({ ...machine, loadAfter: describeMachine().load })
console.table(table)
if (values.json) await writeFile(values.json, JSON.stringify({ machine, table, runs }, null, 2))
if (runs.some(({ identical }) => !identical)) process.exitCode = 1
