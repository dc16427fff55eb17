import { describe, expect, it } from 'vitest'
import { parsePeerId } from '../p2p/peer-id.ts'
import { ServerLoads } from './server-loads.ts'

const peer = parsePeerId('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')

/** A server that two sessions kept busy half of their time each, and the clock. */
function busyServer() {
  const clock = { now: 0 }
  const loads = new ServerLoads(() => clock.now)
  for (let step = 0; step < 60; step++) {
    clock.now += 100
    for (const session of ['a', 'b'])
      loads.stepped({ peer, session, blocks: 1, ms: 50, tokenMs: 100 }, undefined)
  }
  const change = (): number => {
    let found = 0
    loads.forEachChange((_, steps) => (found = steps))
    return found
  }
  return { loads, clock, change }
}

describe('ServerLoads', () => {
  it('adds the wait for a measured session that did not wait for itself', () => {
    expect(busyServer().change()).toBeCloseTo(0.5, 1)
  })

  it('subtracts sessions that have ended in every plan, until what was measured with them counts no more', () => {
    const { loads, clock, change } = busyServer()
    for (const session of ['a', 'b']) loads.ended(peer, session)
    const first = change()
    expect(first).toBeCloseTo(-1, 1)
    expect(change()).toBe(first)
    clock.now += 60_000
    expect(change()).toBeCloseTo(first / Math.E)
  })
})
