import type { Stream } from '@libp2p/interface'
import { expect, it } from 'vitest'
import { BackPressure } from './back-pressure.ts'

class FakeStream {
  readStatus = 'readable'
  calls: string[] = []

  pause(): void {
    this.calls.push('pause')
  }

  resume(): void {
    this.calls.push('resume')
  }
}

/** As yamux's: it opens its window after each frame that it has delivered. */
class FakeYamuxStream extends FakeStream {
  deliver(): void {
    this.calls.push('frame')
    this.sendWindowUpdate()
  }

  sendWindowUpdate(): void {
    this.calls.push('window')
  }
}

it('a stream of yamux goes on to deliver, but opens its window no further', () => {
  const stream = new FakeYamuxStream()
  const pressure = new BackPressure(stream as unknown as Stream)
  stream.deliver()
  pressure.set(true)
  pressure.set(true)
  stream.deliver()
  pressure.set(false)
  pressure.set(false)
  stream.deliver()
  expect(stream.calls).toEqual(['frame', 'window', 'frame', 'window', 'frame', 'window'])
})

it('another stream is paused, and one that has ended is left alone', () => {
  const stream = new FakeStream()
  const pressure = new BackPressure(stream as unknown as Stream)
  pressure.set(true)
  pressure.set(false)
  stream.readStatus = 'closed'
  pressure.set(true)
  expect(stream.calls).toEqual(['pause', 'resume'])
})
