import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { getRequestListener } from '@hono/node-server'
import { afterEach, describe, expect, it } from 'vitest'
import { ClientGoneError } from '../errors.ts'
import { textBody, type TextSink } from '../text-body.ts'
import { sendingText } from './send-text.ts'

let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

interface Served {
  readonly response: IncomingMessage
  /** What the source was cancelled with. */
  readonly cancelled: Promise<unknown>
}

/** Serves one response, whose source is `sendTo`, and asks for it. */
async function serve(sendTo: (sink: TextSink, outgoing: ServerResponse) => Promise<void>): Promise<Served> {
  const cancelled = Promise.withResolvers<unknown>()
  const handle = sendingText((_, { outgoing }) => {
    const body = textBody({
      sendTo: (sink) => sendTo(sink, outgoing as ServerResponse),
      cancel: async (reason) => cancelled.resolve(reason),
    })
    const headers = [
      ['content-type', 'text/event-stream'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ] satisfies [string, string][]
    return new Response(body, { status: 201, headers })
  })
  const server = createServer((incoming, outgoing) => {
    void getRequestListener(handle, { overrideGlobalObjects: false })(incoming, outgoing)
  })
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const asked = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false })
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return { response, cancelled: cancelled.promise }
}

describe('sendingText', () => {
  it('sends the head of the response and its text', async () => {
    const { response } = await serve(async (sink) => {
      sink.send('á')
      sink.send('b')
      await new Promise(setImmediate)
      sink.send('c')
      sink.end()
    })
    expect(response.statusCode).toBe(201)
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'set-cookie': ['a=1', 'b=2'],
    })
    expect(await text(response)).toBe('ábc')
  })

  it('gathers the texts of the first turn, and then writes the first one of a turn at once', async () => {
    const waiting: number[] = []
    const { response } = await serve(async (sink, outgoing) => {
      const sent = (piece: string) => {
        sink.send(piece)
        waiting.push(outgoing.writableLength)
      }
      sent('first')
      sent('second')
      await new Promise(setImmediate)
      sent('third')
      sent('fourth')
      sink.end()
    })
    expect(await text(response)).toBe('firstsecondthirdfourth')
    expect(waiting.map((bytes) => bytes > 0)).toEqual([true, true, false, true])
  })

  it('sends the headers of a text that has not begun', async () => {
    const begin = Promise.withResolvers<void>()
    const { response } = await serve(async (sink) => {
      await begin.promise
      sink.send('late')
      sink.end()
    })
    expect(response.statusCode).toBe(201)
    begin.resolve()
    expect(await text(response)).toBe('late')
  })

  it('tells a source that its reader is slow, and when it has read', async () => {
    const piece = 'x'.repeat(256 * 1024)
    const sizes: number[] = []
    const { response } = await serve(async (sink, outgoing) => {
      for (let count = 0; count < 40; count++) {
        if (!sink.send(piece)) await sink.drained()
        sizes.push(outgoing.writableLength)
      }
      sink.end()
    })
    expect(await text(response)).toHaveLength(40 * piece.length)
    expect(Math.max(...sizes)).toBeLessThan(piece.length)
  })

  it('cancels a source whose reader goes, even while it waits for the reader', async () => {
    const ended = Promise.withResolvers<void>()
    const { response, cancelled } = await serve(async (sink) => {
      while (sink.send('x'.repeat(1024 * 1024)));
      await sink.drained()
      ended.resolve()
    })
    response.destroy()
    expect(await cancelled).toBeInstanceOf(ClientGoneError)
    await ended.promise
  })

  it('breaks off what its source can not finish', async () => {
    const { response } = await serve(async (sink) => {
      sink.send('half')
      sink.fail(new Error('broken'))
    })
    await expect(text(response)).rejects.toThrow('aborted')
  })
})
