import { expect, it } from 'vitest'
import { ruleNames, type RuleName } from './rules.ts'
import { simulate, type RunResult } from './run.ts'

const run = async (rule: RuleName, seed: number): Promise<Omit<RunResult, 'routeMs'>> => {
  const { routeMs: _ofThisMachine, ...result } = await simulate({
    ...{ rule, seed, servers: 20, users: 100, clients: 4, load: 0.6, liars: 0.1, churn: true },
    ...{ seconds: 120, warmUpSeconds: 20 },
  })
  return result
}

it.each(ruleNames)('the same seed gives the same answers, another one others: %s', async (rule) => {
  const first = await run(rule, 1)
  expect(first.answers.length).toBeGreaterThan(0)
  expect(await run(rule, 1)).toEqual(first)
  expect(await run(rule, 2)).not.toEqual(first)
})
