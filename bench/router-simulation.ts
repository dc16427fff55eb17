// node --conditions=petals-chat-source bench/router-simulation.ts [--servers 1,10,…] [--clients N] [--load 0.6] [--liars 0.05] [--seconds N] [--seed N] [--rules …] [--json FILE]
//
// The real router against simulated time and servers, beside the Python client's rules and an oracle that knows everything.
// Then what a search costs, by the number of servers. All but the costs is the same in every run with the same seed.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { routingCosts } from './simulation/costs.ts'
import { ruleNames, type RuleName } from './simulation/rules.ts'
import { simulate, type RunResult } from './simulation/run.ts'
import { describeMachine } from './support/machine.ts'
import { median, quantile, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '1,10,100,1000,10000' },
    load: { type: 'string', default: '0.6' },
    liars: { type: 'string', default: '0.05' },
    seconds: { type: 'string', default: '900' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string' },
    rules: { type: 'string', default: ruleNames.join() },
    json: { type: 'string' },
  },
})

const usersOf: Readonly<Record<number, number>> = {
  1: 100,
  10: 100,
  100: 10_000,
  1000: 100_000,
  10_000: 1_000_000,
}
const clientsOf = (servers: number): number =>
  values.clients ? Number(values.clients) : Math.min(32, Math.max(4, Math.ceil(servers / 30)))

function summaryOf({ answers, ...result }: RunResult) {
  const speeds = answers.map(({ tokens, decodeSeconds }) => tokens / decodeSeconds)
  const waits = answers.map(({ waitSeconds }) => waitSeconds)
  const sum = speeds.reduce((a, b) => a + b, 0)
  const squares = speeds.reduce((a, b) => a + b * b, 0)
  return {
    'tokens/s': rounded(result.tokensPerSecond, 1),
    'of capacity': rounded(result.tokensPerSecond / result.capacity),
    active: Math.round(result.meanActive),
    answers: answers.length,
    lost: result.lost,
    'speed p50': rounded(median(speeds)),
    'speed p5': rounded(quantile(speeds, 0.05)),
    'p95/p5': rounded(quantile(speeds, 0.95) / quantile(speeds, 0.05)),
    fairness: rounded((sum * sum) / (speeds.length * squares)),
    'wait p50': rounded(median(waits), 1),
    'wait p95': rounded(quantile(waits, 0.95), 1),
    'wait p99': rounded(quantile(waits, 0.99), 1),
    'failures/answer': rounded(answers.reduce((a, { failures }) => a + failures, 0) / answers.length),
    'route ms': rounded(median(result.routeMs), 2),
  }
}

const report: object[] = []
for (const servers of values.servers.split(',').map(Number)) {
  const rows: Record<string, object> = {}
  for (const rule of values.rules.split(',') as RuleName[]) {
    const startedAt = performance.now()
    const seconds = Number(values.seconds)
    const result = await simulate({
      rule,
      servers,
      users: usersOf[servers] ?? servers * 100,
      clients: clientsOf(servers),
      load: Number(values.load),
      liars: Number(values.liars),
      churn: true,
      seed: Number(values.seed),
      seconds,
      warmUpSeconds: Math.floor(seconds / 3),
    })
    rows[rule] = summaryOf(result)
    report.push({ servers, rule, ...rows[rule] })
    console.error(`${servers} servers, ${rule}: ${Math.round((performance.now() - startedAt) / 1000)} s`)
  }
  console.log(`${servers} servers, ${usersOf[servers]} users, ${clientsOf(servers)} clients`)
  console.table(rows)
}
const costs = []
for (const servers of values.servers.split(',').map(Number)) costs.push(await routingCosts(servers))
console.table(costs)
if (values.json)
  await writeFile(
    values.json,
    JSON.stringify({ machine: describeMachine(), options: values, report, costs }, null, 2),
  )
