import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import { loadMutants } from '../testing/mutant-loads.ts'

/** The same numbers in each run. `npm run fuzz:loads` loads thousands of mutants. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) % below
}

it('mutants of a model file are refused in words or run, and their processes end nothing else', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'mutants-'))
  try {
    const outcomes = await loadMutants({
      original: await defaultModelPath(),
      scratch: path.join(folder, 'mutant.gguf'),
      loads: 2,
      random: seeded(11),
      limitMs: 60_000,
    })
    expect(outcomes.refused + outcomes.ended + outcomes.runs).toBe(2)
    expect(outcomes.checked).toBeGreaterThan(0)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
