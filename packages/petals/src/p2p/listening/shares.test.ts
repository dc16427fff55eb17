import { describe, expect, it } from 'vitest'
import type { PeerId } from '../peer-id.ts'
import { Shares } from './shares.ts'

/** Takes all that a peer gets. */
function takeAll(shares: Shares, peer: string, origin = peer): number {
  for (let count = 0; ; count++) if (!shares.take(peer as PeerId, origin)) return count
}

describe('what peers share', () => {
  it('is limited for each peer, and some is left for one that has few', () => {
    const shares = new Shares(100, 40)
    expect(['a', 'b', 'c', 'd'].map((peer) => takeAll(shares, peer))).toEqual([40, 30, 15, 8])
    expect(shares.count).toBe(93)
    const release = shares.take('honest' as PeerId, 'honest')!
    release()
    expect(shares.count).toBe(93)
  })

  it('is left for another origin, however many peers of one origin take some', () => {
    const shares = new Shares(100, 40)
    const ofMany = (origin: string): number =>
      Array.from({ length: 100 }, (_, peer) => takeAll(shares, `${origin} ${peer}`, origin)).reduce(
        (sum, count) => sum + count,
      )
    expect(ofMany('a')).toBe(50)
    expect(ofMany('b')).toBe(25)
    expect(takeAll(shares, 'c')).toBe(13)
  })

  it('is left for a new peer of the same origin while few peers take all that they get', () => {
    const shares = new Shares(1024, 256)
    const origin = '192.0.2.7'
    const taken = ['a', 'b', 'c', 'd'].map((peer) => takeAll(shares, peer, origin))
    expect(taken).toEqual([256, 128, 64, 32])
    expect(takeAll(shares, 'honest', origin)).toBe(16)
  })
})
