import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FairShares } from './fair-shares.ts'

/** Gives `turns` permits of a length of its own to the client with the best claim; returns what each was served. */
function serve(holds: Readonly<Record<string, number>>, turns: number): Map<string, number> {
  const shares = new FairShares()
  const served = new Map<string, number>()
  for (let turn = 0; turn < turns; turn++) {
    const [next] = Object.keys(holds).sort((left, right) => shares.compare(left, right))
    shares.take(next!)
    shares.giveBack(next!, holds[next!]!)
    served.set(next!, (served.get(next!) ?? 0) + holds[next!]!)
  }
  return served
}

describe('FairShares', () => {
  it('prefers the client with the fewest permits', () => {
    const shares = new FairShares()
    shares.take('greedy')
    expect(shares.compare('greedy', 'modest')).toBeGreaterThan(0)
    shares.take('modest')
    expect(shares.compare('greedy', 'modest')).toBe(0)
  })

  it('serves all clients for the same time, whatever the lengths of their answers are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 2, maxLength: 6 }), (lengths) => {
        const holds = Object.fromEntries(lengths.map((ms, index) => [`client ${index}`, ms]))
        const served = [...serve(holds, 2_000).values()]
        expect(served).toHaveLength(lengths.length)
        expect(Math.max(...served) - Math.min(...served)).toBeLessThanOrEqual(2 * Math.max(...lengths))
      }),
    )
  })

  it('lets no client save up a share while it is away', () => {
    const shares = new FairShares()
    for (let turn = 0; turn < 10; turn++) {
      shares.take('present')
      shares.giveBack('present', 1_000)
    }
    shares.take('back')
    shares.giveBack('back', 3_000)
    expect(shares.compare('back', 'present')).toBeGreaterThan(0)
  })

  it('remembers a bounded number of clients, and never forgets a permit', () => {
    const shares = new FairShares()
    shares.take('holder')
    for (let client = 0; client < 5_000; client++) {
      shares.take(`client ${client}`)
      shares.giveBack(`client ${client}`, 1)
    }
    expect(shares.size).toBeLessThanOrEqual(1_000)
    expect(shares.compare('holder', 'another')).toBeGreaterThan(0)
  })
})
