import { describe, expect, it } from 'vitest'
import type { PeerId } from '../peer-id.ts'
import { UnreadBound } from './unread-bound.ts'

class FakeStream {
  unreadBytes: number
  isReset = false

  constructor(unreadBytes: number) {
    this.unreadBytes = unreadBytes
  }

  abort(): void {
    this.isReset = true
    this.unreadBytes = 0
  }
}

const [honest, hostile] = ['honest', 'hostile'] as PeerId[]

describe('unread bytes of all streams', () => {
  it('stay below the limit: the peer with the most loses its fullest streams', () => {
    const bound = new UnreadBound(1000)
    const streams = [400, 100, 300, 200].map((bytes) => new FakeStream(bytes))
    const own = new FakeStream(250)
    for (const stream of streams) bound.track(hostile!, hostile!, stream)
    bound.track(honest!, honest!, own)
    bound.enforce()
    expect(streams.map(({ isReset }) => isReset)).toEqual([true, false, false, false])
    own.unreadBytes = 900
    bound.enforce()
    expect(streams.slice(1).some(({ isReset }) => isReset)).toBe(false)
    expect(own.isReset).toBe(true)
  })

  it('cost many peers of one origin their streams before one of another origin that has sent more than each', () => {
    const bound = new UnreadBound(1000)
    const small = Array.from({ length: 10 }, (_, peer) => {
      const stream = new FakeStream(95 + peer)
      bound.track(`hostile ${peer}` as PeerId, '192.0.2.7', stream)
      return stream
    })
    const own = new FakeStream(250)
    bound.track(honest!, '192.0.2.8', own)
    bound.enforce()
    expect(own.isReset).toBe(false)
    expect(small.map(({ isReset }) => isReset)).toEqual([...Array<boolean>(7).fill(false), true, true, true])
  })

  it('are counted while a stream is open', async () => {
    const bound = new UnreadBound(10)
    const [open, closed] = [new FakeStream(20), new FakeStream(20)]
    bound.track(hostile!, hostile!, closed)()
    const end = bound.track(hostile!, hostile!, open)
    await expect.poll(() => open.isReset).toBe(true)
    expect(closed.isReset).toBe(false)
    end()
  })
})
