import { describe, expect, it } from 'vitest'
import type { PeerId } from '../p2p/peer-id.ts'
import { InboundBudget, longestMessage } from './inbound-budget.ts'

const total = 1000
const peer = (name: string): PeerId => name as PeerId

/** Takes memory in parts until there is none for a moment; returns how much it got. */
async function takeAll(budget: InboundBudget, name: string, part = 10): Promise<number> {
  for (let taken = 0; ; taken += part) {
    const late = AbortSignal.timeout(5)
    const isTaken = await budget.reserve(peer(name), part, late).then(
      () => true,
      () => false,
    )
    if (!isTaken) return taken
  }
}

describe('memory for messages', () => {
  it('goes to one peer up to a half, and some is left for every other one', async () => {
    const budget = new InboundBudget(total)
    expect(await takeAll(budget, 'a')).toBe(500)
    expect(await takeAll(budget, 'b')).toBe(250)
    expect(await takeAll(budget, 'c')).toBe(120)
    await budget.reserve(peer('honest'), 60)
    expect(budget.usedBytes).toBe(930)
  })

  it('that is given back goes to those who wait, in the order of each', async () => {
    const budget = new InboundBudget(total)
    const release = await budget.reserve(peer('a'), 500)
    const order: string[] = []
    const waiting = ['a1', 'a2', 'b1'].map((name) =>
      budget.reserve(peer(name[0]!), name === 'b1' ? 400 : 240).then(() => void order.push(name)),
    )
    const left = new AbortController()
    const leaves = budget.reserve(peer('a'), 400, left.signal)
    await new Promise(setImmediate)
    expect(order).toEqual([])
    left.abort(new Error('left'))
    await expect(leaves).rejects.toThrow('left')
    release()
    release() // counts once
    await Promise.all(waiting.slice(0, 2))
    expect(order).toEqual(['a1', 'a2'])
    expect(budget.usedBytes).toBe(480)
  })

  it('fails a message that waits too long, in words', async () => {
    const budget = new InboundBudget(total, 20)
    await budget.reserve(peer('a'), 500)
    await expect(budget.reserve(peer('a'), 1)).rejects.toThrow(/The server is busy/)
  })

  it('lets messages of a peer begin that fit together, so that each can end', async () => {
    const budget = new InboundBudget(total)
    const longest = longestMessage(total)
    const release = await budget.announce(peer('a'), longest)
    let hasBegun = false
    const second = budget.announce(peer('a'), 1).then(() => (hasBegun = true))
    await budget.announce(peer('b'), longest) // others are not kept waiting
    expect(hasBegun).toBe(false)
    release()
    await second
  })
})
