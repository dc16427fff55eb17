import { describe, expect, it } from 'vitest'
import { readEvents, SseParser } from './sse.ts'

const stream = [
  ': ping\n\n',
  'id: a:1\ndata: {"text":"Grüße 🌷"}\n\n',
  'event: error\r\ndata: one\r\ndata: two\r\n\r\n',
  'data:no space\r\r',
  'retry: 100\nunknown: x\n\n',
  'id: a:2\ndata\n\n',
].join('')

const expected = [
  { event: 'message', data: '{"text":"Grüße 🌷"}', id: 'a:1' },
  { event: 'error', data: 'one\ntwo', id: 'a:1' },
  { event: 'message', data: 'no space', id: 'a:1' },
  { event: 'message', data: '', id: 'a:2' },
]

function bodyOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
}

async function collect(body: ReadableStream<Uint8Array>) {
  const events = []
  for await (const event of readEvents(body)) events.push(event)
  return events
}

describe('readEvents', () => {
  const bytes = new TextEncoder().encode(stream)

  it('reads every kind of line end, field and comment', async () => {
    expect(await collect(bodyOf([bytes]))).toEqual(expected)
  })

  it('reads the same events wherever the bytes are split', async () => {
    for (let cut = 1; cut < bytes.length; cut++)
      expect(await collect(bodyOf([bytes.slice(0, cut), bytes.slice(cut)]))).toEqual(expected)
    expect(await collect(bodyOf(Array.from(bytes, (byte) => Uint8Array.of(byte))))).toEqual(expected)
  })

  it('drops an incomplete event', async () => {
    expect(await collect(bodyOf([new TextEncoder().encode('data: half\n')]))).toEqual([])
  })

  it('gives up on a server that is silent for too long, and closes the connection', async () => {
    let cancelled = false
    const silent = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) })
    await expect(readEvents(silent, { stallTimeoutMs: 20 }).next()).rejects.toThrow(
      'The server sent nothing for 20 ms',
    )
    expect(cancelled).toBe(true)
  })

  it('closes the connection when its caller stops', async () => {
    let cancelled = false
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(bytes),
      cancel: () => void (cancelled = true),
    })
    for await (const _event of readEvents(body)) break
    expect(cancelled).toBe(true)
  })
})

it('refuses an event that never ends', () => {
  const parser = new SseParser()
  const line = `data: ${'x'.repeat(1024 * 1024)}\n`
  expect(() => {
    for (let count = 0; count < 10; count++) parser.push(line)
  }).toThrow(RangeError)
})
