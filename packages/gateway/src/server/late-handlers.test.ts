import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Logger } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { recordingLogger, type LogRecord } from '../fixtures/test-gateway.ts'
import { LateHandlers, type RequestHandlers } from './late-handlers.ts'

const request = 'GET /path HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
const upgrade =
  'GET /socket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nfirst bytes'

/** Handlers that say what they got, and which of them it was. */
function handlersNamed(name: string, served: string[]): RequestHandlers {
  const listener: RequestListener = ({ url }, response) => {
    served.push(`${name} ${url}`)
    response.end(name)
  }
  return {
    listener,
    upgrade({ url }, socket, head) {
      served.push(`${name} ${url} ${head.toString()}`)
      socket.end(name)
    },
  }
}

async function listen(make: () => Promise<RequestHandlers>, logger: Logger = recordingLogger([])) {
  const handlers = new LateHandlers(make, logger)
  const server = createServer(handlers.listener).on('upgrade', handlers.upgrade).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const send = (bytes: string): Socket => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(bytes)
    return socket
  }
  return { handlers, server, send, [Symbol.asyncDispose]: async () => void server.close() }
}

describe('handlers that are made late', () => {
  it('are made once, for the first request, and answer all that came before they were made', async () => {
    const served: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    let made = 0
    await using test = await listen(async () => {
      made++
      await promise
      return handlersNamed('made', served)
    })
    expect(made).toBe(0)
    expect(test.handlers.made).toBeUndefined()
    const early = [test.send(request), test.send(upgrade)].map((socket) => text(socket))
    await Promise.all([once(test.server, 'request'), once(test.server, 'upgrade')])
    expect(served).toEqual([])
    resolve()
    const answers = await Promise.all(early)
    expect(answers[0]).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nmade$/)
    expect(answers[1]).toBe('made')
    expect(await text(test.send(request))).toMatch(/made$/)
    expect(served.toSorted()).toEqual(['made /path', 'made /path', 'made /socket first bytes'])
    expect(made).toBe(1)
  })

  it('do not see clients that have gone meanwhile', async () => {
    const served: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    await using test = await listen(async () => {
      await promise
      return handlersNamed('made', served)
    })
    for (const bytes of [request, upgrade]) {
      const arrived = once(test.server, bytes === request ? 'request' : 'upgrade')
      const socket = test.send(bytes)
      const [incoming] = (await arrived) as [{ readonly socket: Socket }]
      const closed = once(incoming.socket, 'close')
      // A reset is an error of the server's socket.
      socket.resetAndDestroy()
      if (bytes === upgrade) incoming.socket.resume()
      await closed.catch(() => {})
    }
    resolve()
    expect(await text(test.send(request))).toMatch(/made$/)
    expect(served).toEqual(['made /path'])
  })

  it('that can’t be made refuse what waits in words, are logged, and are tried again', async () => {
    const records: LogRecord[] = []
    const served: string[] = []
    let isBroken = true
    await using test = await listen(async () => {
      if (isBroken) throw new Error('secret path')
      return handlersNamed('made', served)
    }, recordingLogger(records))
    for (const bytes of [request, upgrade]) {
      const answer = await text(test.send(bytes))
      expect(answer).toMatch(/^HTTP\/1.1 500 [^]*x-request-id: [0-9a-f-]{36}\r\n[^]*"error":/)
      expect(answer).not.toContain('secret path')
    }
    expect(records.map(({ level, message }) => [level, message])).toEqual([
      ['error', 'the routes could not be made'],
      ['error', 'the routes could not be made'],
    ])
    isBroken = false
    expect(await text(test.send(request))).toMatch(/made$/)
    expect(served).toEqual(['made /path'])
  })
})
