import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { StreamFault } from './event-reader.ts'
import { EventStream } from './event-stream.ts'

const idleTimeoutMs = 1_000
let response: PassThrough
let stream: EventStream
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  response = new PassThrough()
  stream = new EventStream(response as unknown as IncomingMessage, { idleTimeoutMs })
})
afterEach(() => {
  response.destroy()
  vi.useRealTimers()
})

const turn = () => new Promise(setImmediate)

/** The server writes, and then nothing for most of the time that it may be silent. */
async function sendAndWait(text: string): Promise<void> {
  response.write(text)
  await turn()
  await vi.advanceTimersByTimeAsync(idleTimeoutMs * 0.9)
}

describe('a server is silent', () => {
  it('if it sends nothing for as long as it may', async () => {
    const next = expect(stream.next()).rejects.toThrow('sent nothing for 1 s')
    await vi.advanceTimersByTimeAsync(idleTimeoutMs)
    await next
  })

  it.each([
    ['comments', [': at work\n\n', ': at work\n\n', ': at work\n\n', 'data: [1]\n\n']],
    ['an event in small parts', ['data: [', '1', ']', '\n\n']],
  ])('not while it sends %s', async (_, parts) => {
    const next = stream.next()
    for (const part of parts) await sendAndWait(part)
    expect(await next).toEqual({ done: false, value: [1] })
  })

  it('not while the caller is busy', async () => {
    response.write('data: 1\n\n')
    expect(await stream.next()).toEqual({ done: false, value: 1 })
    await vi.advanceTimersByTimeAsync(10 * idleTimeoutMs)
    response.write('data: 2\n\n')
    expect(await stream.next()).toEqual({ done: false, value: 2 })
  })
})

describe('a connection that breaks', () => {
  it('is told after the values that came before', async () => {
    response.write('data: 1\n\ndata: 2\n\n')
    await turn()
    response.destroy(new Error('reset'))
    await turn()
    expect(await stream.next()).toEqual({ done: false, value: 1 })
    expect(await stream.next()).toEqual({ done: false, value: 2 })
    await expect(stream.next()).rejects.toThrow(StreamFault)
  })

  it('is nothing to a caller that has what it needs', async () => {
    response.write('data: 1\n\ndata: 2\n\n')
    expect(await stream.next()).toEqual({ done: false, value: 1 })
    response.destroy(new Error('reset'))
    await turn()
    expect(await stream.return()).toEqual({ done: true, value: undefined })
  })
})

it('a caller that stops ends the connection', async () => {
  response.write('data: 1\n\n')
  for await (const value of stream) {
    expect(value).toBe(1)
    break
  }
  expect(response.destroyed).toBe(true)
})
