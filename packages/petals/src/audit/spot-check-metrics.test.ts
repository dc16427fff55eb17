import { type Metrics, silentMetrics } from '@petals-chat/engine'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { seededBits } from '../sampling/random.ts'
import type { FakeServer } from '../testing/fake-server.ts'
import { FakeSwarm, type SwarmClient } from '../testing/fake-swarm.ts'
import { lies } from '../testing/lies.ts'
import { AuditBudget } from './audit-budget.ts'

let swarm: FakeSwarm
beforeEach(async () => {
  swarm = await FakeSwarm.start()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await swarm[Symbol.asyncDispose]()
})

const fast = { inferenceRps: 1000, dtype: 'bfloat16' } as const
const slow = { inferenceRps: 100, dtype: 'bfloat16' } as const
const whole = { start: 0, end: 6 }

/** A client, with the results that its metrics have counted. */
async function connect(
  seed: number,
): Promise<{ readonly client: SwarmClient; readonly results: readonly string[] }> {
  const bits = seededBits(seed)
  const results: string[] = []
  const metrics: Metrics = {
    ...silentMetrics,
    counter: ({ name }) => ({
      add: (count, labels) => {
        if (name === 'petals_spot_checks_total') results.push(...Array<string>(count).fill(labels!.result!))
      },
    }),
  }
  return {
    client: await swarm.connect({ standby: 'off' }, { random: () => bits() / 2 ** 32, metrics }),
    results,
  }
}

/** Counts the checks that begin: those that are due, without those for which there was no other server. */
function countBegun(): () => number {
  const { due, postpone } = AuditBudget.prototype
  let [isDue, postponed] = [0, 0]
  vi.spyOn(AuditBudget.prototype, 'due').mockImplementation(function (this: AuditBudget, ...of) {
    const end = due.apply(this, of)
    if (end !== undefined) isDue++
    return end
  })
  vi.spyOn(AuditBudget.prototype, 'postpone').mockImplementation(function (this: AuditBudget, peer) {
    postponed++
    postpone.call(this, peer)
  })
  return () => isDue - postponed
}

async function steps(client: SwarmClient, isOver: () => boolean): Promise<void> {
  const session = client.openSession()
  for (let tokens = 0; tokens < 600 && !isOver(); tokens++) {
    await session.step(swarm.inputs(tokens === 0 ? 20 : 1, tokens + 1))
    await client.checks!.settled()
  }
}

const isWrong = (client: SwarmClient, { id }: FakeServer): boolean =>
  client.router.verdicts.of(id)?.kind === 'wrong'

it('a doubt about which a third server differs greatly from both ends with a result: the third one is wrong', async () => {
  const used = await swarm.addServer(0, 6, fast)
  const doubtful = await swarm.addServer(0, 6, slow)
  const liar = await swarm.addServer(0, 6, slow)
  lies['its outputs shifted by 1 %']!(doubtful, whole, swarm.hiddenSize)
  lies['its outputs times 1.05']!(liar, whole, swarm.hiddenSize)
  const order: FakeServer[] = []
  for (const server of [doubtful, liar])
    server.refusal = () => {
      if (!order.includes(server)) order.push(server)
      return undefined
    }
  for (let seed = 1; order[0] !== doubtful; seed++) {
    expect(seed, 'the doubtful one was never asked first').toBeLessThan(10)
    order.length = 0
    const { client, results } = await connect(seed)
    await steps(client, () => results.length > 0)
    expect(results).toEqual(['wrong'])
    expect(isWrong(client, liar)).toBe(true)
    expect(isWrong(client, used) || isWrong(client, doubtful)).toBe(false)
  }
})

it.each([
  ['of honest servers', undefined, 3],
  ['in doubt, of two servers', 'its outputs shifted by 1 %', 2],
  ['in doubt, of three servers', 'its outputs shifted by 1 %', 3],
  ['in dispute', 'its outputs times 1.05', 2],
  ['of a liar', 'its outputs times 1.05', 3],
  ['of servers that fail', 'refusal', 3],
])('each check ends with exactly one result: %s', async (_name, lie, count) => {
  await swarm.addServer(0, 6, fast)
  const others = []
  for (let i = 1; i < count; i++) others.push(await swarm.addServer(0, 6, slow))
  if (lie === 'refusal') for (const other of others) other.refusal = () => 'out of order'
  else if (lie !== undefined) lies[lie]!(others[0]!, whole, swarm.hiddenSize)
  const begun = countBegun()
  const { client, results } = await connect(1)
  await steps(client, () => false)
  const skipped = results.filter((result) => result === 'skipped').length
  // One that is skipped is postponed, too.
  expect(begun() + skipped).toBe(results.length)
  expect(results.length).toBeGreaterThan(0)
})
