// node --conditions=petals-chat-source tests/fuzz/run.ts [--seconds N] [--target NAME] [--seed N] [--keep]
//
// Runs the decoders of bytes that others can choose on mutants of honest inputs: an hour for each with --seconds 3600. With
// --keep, inputs that led to something new are added to the corpora, which `npm test` runs too.
import { parseArgs } from 'node:util'
import { keepInputs, readCorpus } from './corpus.ts'
import { fuzz, type FuzzTarget } from './fuzz.ts'
import { seededRandom } from './mutate.ts'
import { targets } from './targets/index.ts'

/** The goal for one input of at most 64 KiB. */
const maxMs = 100

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})

function runTarget(target: FuzzTarget): object {
  const endsAt = performance.now() + Number(values.seconds) * 1000
  const random = seededRandom(Number(values.seed))
  const isOver = (): boolean => performance.now() > endsAt
  const report = fuzz(target, { corpus: readCorpus(target.name), random, isOver, maxMs })
  const { runs, findings, discovered } = report
  for (const { input, problem } of findings) {
    console.error(
      `${target.name}: ${problem}\n  input (base64): ${Buffer.from(input).toString('base64').slice(0, 4000)}`,
    )
    process.exitCode = 1
  }
  if (values.keep) keepInputs(target.name, [...findings.map(({ input }) => input), ...discovered])
  return {
    target: target.name,
    inputs: runs,
    findings: findings.length,
    new: discovered.length,
    'slowest, ms': Math.round(report.slowestMs),
    'most memory, MiB': Math.round(report.largestBytes / 2 ** 20),
  }
}

const chosen = targets.filter(({ name }) => values.target === undefined || name.startsWith(values.target))
if (chosen.length === 0)
  throw new Error(
    `No target begins with '${values.target}'. There are: ${targets.map(({ name }) => name).join(', ')}.`,
  )
console.table(chosen.map(runTarget))
