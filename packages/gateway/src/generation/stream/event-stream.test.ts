import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { eventStream, type EventStreamOptions } from './event-stream.ts'

function open(
  frames: AsyncGenerator<string>,
  options: { readonly [Key in keyof EventStreamOptions]?: NonNullable<EventStreamOptions[Key]> } = {},
) {
  return eventStream(frames, {
    pingIntervalMs: 10_000,
    pingFrame: ': ping\n\n',
    stallTimeoutMs: 10_000,
    errorFrame: (error) => `data: ${String(error)}\n\n`,
    abort: () => {},
    disconnect: () => false,
    ...options,
  })
}

async function* frames(...items: readonly (string | Error | number)[]): AsyncGenerator<string> {
  for (const item of items) {
    if (typeof item === 'number') await sleep(item)
    else if (item instanceof Error) throw item
    else yield item
  }
}

describe('eventStream', () => {
  it('sends the frames with the headers of an event stream', async () => {
    const response = await open(frames('data: 1\n\n', 'data: 2\n\n'))
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(await response.text()).toBe('data: 1\n\ndata: 2\n\n')
  })

  it('ends lines only where every reader ends them', async () => {
    const text = 'a\u2028data: [DONE]\u2029\u0085b'
    const response = await open(frames(`data: ${JSON.stringify({ text })}\n\n`))
    const sent = await response.text()
    expect(sent.split(/[\n\u0085\u2028\u2029]/)).toEqual([expect.stringMatching(/^data: \{.*\}$/), '', ''])
    expect(JSON.parse(sent.slice('data: '.length))).toEqual({ text })
  })

  it('ends lines only there in pings and errors, too', async () => {
    const pinged = Promise.withResolvers<void>()
    async function* broken() {
      yield 'data: 1\n\n'
      await pinged.promise
      throw new Error('a\u2028b')
    }
    const pingFrame = () => {
      pinged.resolve()
      return ': c\u2029d\n\n'
    }
    const response = await open(broken(), { pingIntervalMs: 5, pingFrame })
    expect(await response.text()).toMatch(/^data: 1\n\n(: c\\u2029d\n\n)+data: Error: a\\u2028b\n\n$/)
  })

  it('throws a failure before the first frame', async () => {
    await expect(open(frames(new Error('no such model')))).rejects.toThrow('no such model')
  })

  it('ends with an error event if a later frame fails', async () => {
    const response = await open(frames('data: 1\n\n', new Error('broken')))
    expect(await response.text()).toBe('data: 1\n\ndata: Error: broken\n\n')
  })

  it('pings while there is no frame, and begins the response if the first frame is late', async () => {
    const response = await open(frames(100, 'data: 1\n\n', 100, 'data: 2\n\n'), { pingIntervalMs: 30 })
    const text = await response.text()
    expect(text.replaceAll(': ping\n\n', '')).toBe('data: 1\n\ndata: 2\n\n')
    expect(text.indexOf(': ping')).toBeLessThan(text.indexOf('data: 1'))
    expect(text.lastIndexOf(': ping')).toBeGreaterThan(text.indexOf('data: 1'))
  })

  it('sends a failure after the first ping as an error event', async () => {
    const response = await open(frames(60, new Error('late')), { pingIntervalMs: 20 })
    expect(response.status).toBe(200)
    expect(await response.text()).toMatch(/^(: ping\n\n)*data: Error: late\n\n$/)
  })

  it('aborts and ends the frames when the reader cancels', async () => {
    const abort = vi.fn<(reason: unknown) => void>()
    const ended = vi.fn()
    async function* endless() {
      try {
        while (true) {
          yield 'data: x\n\n'
          await sleep(1)
        }
      } finally {
        ended()
      }
    }
    const reader = (await open(endless(), { abort })).body!.getReader()
    await reader.read()
    await reader.cancel('gone')
    expect(abort).toHaveBeenCalledWith('gone')
    expect(ended).toHaveBeenCalledOnce()
  })

  it('makes the frames wait for a slow reader, and abandons one that reads nothing', async () => {
    let made = 0
    async function* large() {
      for (; made < 1000; made++) yield `data: ${'x'.repeat(16 * 1024)}\n\n`
    }
    const abort = vi.fn<(reason: unknown) => void>()
    const disconnect = vi.fn(() => false)
    const response = await open(large(), { stallTimeoutMs: 60, abort, disconnect })
    const reader = response.body!.getReader()
    await reader.read()
    expect(abort).not.toHaveBeenCalled()
    await vi.waitFor(() => expect(disconnect).toHaveBeenCalledOnce())
    expect(abort).toHaveBeenCalledOnce()
    await expect(reader.read()).rejects.toThrow('The client read nothing for 60 ms.')
    expect(made).toBeLessThan(10)
  })
})
