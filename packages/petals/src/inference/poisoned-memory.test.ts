import { expect, it } from 'vitest'
import { measurePoison } from '../testing/poisoned-swarm.ts'

it('10,000 forged servers, and nodes that answer with megabytes, cost little memory and no answer', async () => {
  const { identical, honest, grownMiB, mostGrownMiB } = await measurePoison({
    forged: 10_000,
    hostileNodes: 3,
    rounds: 1,
  })
  const [kept, most] = [grownMiB, mostGrownMiB].map(Math.round)
  console.log(`the client's process grew by ${kept} MiB, by ${most} MiB at most`)
  expect({ identical, honest }).toEqual({ identical: true, honest: true })
  // The goal is 64. Measured: 13 to 73 with the load of the machine; 370 when every entry was kept and decoded.
  expect(mostGrownMiB).toBeLessThan(128)
})
