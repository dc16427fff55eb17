// node --conditions=petals-chat-source bench/faults.ts [--only NAME,…] [--runs N] [--rounds N] [--minutes N] [--seed N] [--json FILE]
//
// Does harm to servers and links of a swarm in the middle of answers, most of them eight at once. Checks that the answers are
// complete and identical, and measures the pauses. Sections: kills, rewinding, churn, links, limits,
// poison, standby, and mixed-churn, in which servers with Python and without replace each other.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { FaultHarness } from '../tests/support/fault-harness.ts'
import { churn, kills, limits, links, poison, rewinding, standby, type Finding } from './faults/sections.ts'
import { describeMachine } from './support/machine.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'kills,rewinding,churn,mixed-churn,links,limits,poison,standby' },
    runs: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '4' },
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
})
const sections = new Set(values.only.split(','))
const has = (...names: readonly string[]): boolean => names.some((name) => sections.has(name))
const report = values.json ?? path.resolve(import.meta.dirname, '../.cache/reports/faults.json')
const common = { model: 'stories15M', seed: Number(values.seed), onProgress: console.error }

const machine = describeMachine()
const findings: Finding[] = []
const add = (...found: readonly Finding[]): void => {
  findings.push(...found)
  for (const each of found) console.error(JSON.stringify(each))
}
if (has('kills', 'rewinding', 'churn')) {
  // The third one restarts while answers continue with two.
  await using harness = await FaultHarness.start({ ...common, replicas: 3, required: 2 })
  if (has('rewinding')) add(...(await rewinding(harness)))
  if (has('kills')) add(...(await kills(harness, Number(values.runs))))
  if (has('churn'))
    add(await churn(harness, await harness.prepare('Once upon a time', 64), Number(values.minutes)))
}
if (has('mixed-churn')) {
  const places = { replicas: 3, required: 2, replaceBy: 'the other kind' } as const
  await using harness = await FaultHarness.start({ ...common, ...places })
  const prompt = await harness.prepare('Once upon a time', 64)
  const found = await churn(harness, prompt, Number(values.minutes))
  add({ ...found, fault: `${found.fault}, with Python and without in turn` })
}
if (has('rewinding')) {
  // The same on servers that rewind, instead of computing all again in a new session.
  await using harness = await FaultHarness.start({ ...common, replicas: 3, required: 2, canRewind: true })
  add(...(await rewinding(harness, 'on servers that rewind')))
}
if (has('links')) {
  await using harness = await FaultHarness.start({ ...common, replicas: 2, relay: {} })
  add(...(await links(harness, await harness.prepare('Once upon a time', 48), Number(values.rounds))))
}
if (has('limits')) add(...(await limits()))
if (has('poison')) add(await poison())
if (has('standby')) add(...(await standby(Number(values.runs), common.seed, common.model)))
console.log({ ...machine, loadAfter: describeMachine().load })
console.table(findings.map(({ figures, ...finding }) => ({ ...finding, ...figures })))
await mkdir(path.dirname(report), { recursive: true })
await writeFile(report, JSON.stringify({ machine, findings }, null, 2))
if (findings.some(({ answers, identical }) => identical !== answers)) process.exitCode = 1
