import { describe, expect, it } from 'vitest'
import { textBody, type TextSink } from './text-body.ts'

const large = 'x'.repeat(40_000)
const open = (sendTo: (sink: TextSink) => Promise<void>) =>
  textBody({ sendTo, cancel: async () => {} }).getReader()

/** Sends until the reader is slow. */
function fill(sink: TextSink): void {
  while (sink.send(large));
}

describe('textBody', () => {
  it('begins with the first read', async () => {
    let hasBegun = false
    const reader = open(async (sink) => {
      hasBegun = true
      sink.send('é')
      sink.end()
    })
    await new Promise(setImmediate)
    expect(hasBegun).toBe(false)
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('é')
    expect(await reader.read()).toMatchObject({ done: true })
  })

  it('lets a source go on when all that was sent has been read', async () => {
    let sent = 0
    const reader = open(async (sink) => {
      for (; sent < 3; sent++) {
        fill(sink)
        await sink.drained()
      }
      sink.end()
    })
    await reader.read()
    await new Promise(setImmediate)
    expect(sent).toBe(0)
    while (!(await reader.read()).done);
    expect(sent).toBe(3)
  })

  it.each(['cancels', 'is failed'])('lets a source end that waits for a reader who %s', async (how) => {
    const ended = Promise.withResolvers<void>()
    const reader = open(async (sink) => {
      fill(sink)
      const drained = sink.drained()
      if (how === 'is failed') sink.fail(new Error('stalled'))
      await drained
      ended.resolve()
    })
    if (how === 'cancels') {
      await reader.read()
      await reader.cancel()
    } else await expect(reader.read().then(() => reader.read())).rejects.toThrow('stalled')
    await ended.promise
  })
})
