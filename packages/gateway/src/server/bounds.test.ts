import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it, vi } from 'vitest'
import { startTestServer, type TestServer } from '../fixtures/test-server.ts'
import { refuseSlowBodies } from './slow-bodies.ts'

const KIB = 1024

/** Begins a POST with a chunked body, and sends the beginning of the body. */
function beginPost(port: number, body: string): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n')
  socket.write(`${body.length.toString(16)}\r\n${body}\r\n`)
  return socket
}

const headOf = async (socket: Socket): Promise<string> => {
  const [data] = (await once(socket, 'data')) as [Buffer]
  return data.toString()
}

const statusOf = async (server: TestServer, body: string): Promise<number> => {
  const response = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body })
  return response.status
}

describe('bodies in flight', () => {
  it('share one budget: further ones get 429, small ones are answered, and what is cut is free again', async () => {
    const config = { maxBodyBytes: 512 * KIB, maxBufferedBytes: 1024 * KIB }
    await using server = await startTestServer({ config })
    const half = [1, 2].map(() => beginPost(server.port, 'x'.repeat(500 * KIB)))
    const large = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], user: 'x'.repeat(300 * KIB) })
    await expect.poll(() => server.figure('petals_chat_buffered_bytes')).toBe(1_000 * KIB)
    expect(await statusOf(server, large)).toBe(429)
    const refused = beginPost(server.port, 'x'.repeat(300 * KIB))
    expect(await headOf(refused)).toMatch(/^HTTP\/1.1 429 [^]*retry-after: 1\r\n[^]*maxBufferedBytes/i)
    const small = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 })
    expect(await statusOf(server, small)).toBe(200)
    for (const socket of [...half, refused]) socket.destroy()
    await expect.poll(() => server.figure('petals_chat_buffered_bytes')).toBe(0)
    expect(await statusOf(server, large)).toBe(200)
  })

  it('end soon when the server has answered before their end', async () => {
    await using server = await startTestServer()
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write('POST /nothing-is-here HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n')
    const chunk = `${(16 * KIB).toString(16)}\r\n${'x'.repeat(16 * KIB)}\r\n`
    const send = () => void (socket.destroyed || socket.write(chunk, () => setImmediate(send)))
    send()
    socket.resume()
    await closed
  })

  it.each([
    ['with a length', 'content-length: 1000'],
    ['in chunks', 'transfer-encoding: chunked'],
  ])('are refused when they drip, %s; others are not', async (_name, header) => {
    const server = createServer((incoming, outgoing) => {
      incoming.on('error', () => {}).pipe(outgoing)
    })
    refuseSlowBodies(server, (socket) => socket.end('HTTP/1.1 408 Request Timeout\r\n\r\n'), {
      ...anyPace,
      minBytesPerSecond: 10_000_000,
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const slow = connect(port, '127.0.0.1')
    slow.write(`POST / HTTP/1.1\r\nhost: localhost\r\n${header}\r\n\r\n`)
    expect(await text(slow)).toMatch(/^HTTP\/1.1 408 /)
    const answered = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: 'whole' })
    expect(await answered.text()).toBe('whole')
    server.closeAllConnections()
    server.close()
  })
})

/** A pace that refuses nothing within the time of a test. */
const anyPace = { graceMs: 50, minBytesPerSecond: 0, minRecentBytes: 0, maxMs: 1e9, checkIntervalMs: 10 }

describe('a body of more than 64 kB that is read through a web stream', () => {
  const part = 'x'.repeat(100 * KIB)

  /** Sends the beginning of a body of 1 MB, then a byte now and then. Resolves to the answer. */
  async function drip(pace: typeof anyPace): Promise<string> {
    const server = createServer((incoming, outgoing) => {
      void text(Readable.toWeb(incoming) as ReadableStream).then(
        () => outgoing.end(),
        () => {},
      )
    })
    refuseSlowBodies(server, (socket) => socket.end('HTTP/1.1 408 Request Timeout\r\n\r\n'), pace)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n${part}`)
    const timer = setInterval(() => socket.write('x'), 5)
    try {
      return await text(socket)
    } finally {
      clearInterval(timer)
      server.closeAllConnections()
      server.close()
    }
  }

  it('is refused when it begins to drip, however much came before', async () => {
    expect(await drip({ ...anyPace, minRecentBytes: 1000 })).toMatch(/^HTTP\/1.1 408 /)
  })

  it('is refused after the longest time, at any pace', async () => {
    expect(await drip({ ...anyPace, maxMs: 200 })).toMatch(/^HTTP\/1.1 408 /)
  })
})

/** A masked frame: `opcode` 1 begins a text, 0 continues it; without FIN. */
function fragment(opcode: 0 | 1, payload: string): Buffer {
  const head =
    payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 255]
  return Buffer.concat([Buffer.from([opcode, ...head, 0, 0, 0, 0]), Buffer.from(payload)])
}

/** Opens a raw WebSocket; resolves with its socket, and with the code of the server's close frame. */
async function openRaw({
  port,
}: TestServer): Promise<{ socket: Socket; closed: Promise<number | undefined> }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    'GET /api/v2/generate HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  await once(socket, 'data')
  const frames: Buffer[] = []
  socket.on('data', (data: Buffer) => frames.push(data))
  const closed = new Promise((resolve) => socket.once('close', resolve)).then(() => {
    const received = Buffer.concat(frames)
    const at = received.indexOf(0x88)
    return at === -1 ? undefined : received.readUInt16BE(at + 2)
  })
  return { socket, closed }
}

describe('messages that are not complete', () => {
  it('share the budget of the bodies', async () => {
    await using server = await startTestServer({ config: { maxBufferedBytes: 256 * KIB } })
    const clients = await Promise.all([1, 2, 3, 4, 5].map(() => openRaw(server)))
    for (const { socket } of clients) {
      socket.write(fragment(1, 'x'.repeat(60_000)))
    }
    expect(await Promise.race(clients.map(({ closed }) => closed))).toBe(1013)
    for (const { socket } of clients) socket.destroy()
    const client = await server.connect()
    await expect
      .poll(async () => {
        await client.startSession(16).catch(() => {})
        return server.figure('petals_chat_websocket_connections')
      })
      .toBe(1)
  })

  it('of thousands of fragments are refused, on 50 sockets at once', async () => {
    await using server = await startTestServer()
    const flood = Buffer.concat([fragment(1, 'x'), ...Array<Buffer>(131_000).fill(fragment(0, 'x'))])
    const clients = await Promise.all(Array.from({ length: 50 }, () => openRaw(server)))
    for (const { socket } of clients) socket.write(flood)
    const codes = await Promise.all(clients.map(({ closed }) => closed))
    expect(new Set(codes)).toEqual(new Set([1008]))
  })
})

describe('pings and pongs', () => {
  it('take nothing of the budget of messages, however many an idle socket sends', async () => {
    await using server = await startTestServer()
    const client = await server.connect()
    await client.startSession(64)
    let pongs = 0
    client.socket.on('pong', () => (pongs += 1))
    for (let i = 0; i < 100; i++) {
      client.socket.ping('x'.repeat(i))
      client.socket.pong()
      await vi.waitFor(() => expect(pongs).toBe(i + 1), { interval: 1 })
    }
    await vi.waitFor(async () => expect(await server.figure('petals_chat_buffered_bytes')).toBe(0))
  })
})

describe('messages that wait for their turn', () => {
  it('share the budget, too', async () => {
    const hold = Promise.withResolvers<void>()
    const config = { maxBufferedBytes: 400 * KIB }
    await using server = await startTestServer({ config, beforeStep: () => hold.promise })
    const clients = await Promise.all([1, 2, 3].map(() => server.connect()))
    for (const client of clients) {
      await client.startSession(64)
      client.send({ type: 'generate', inputs: 'a', max_new_tokens: 1 })
      client.send({ type: 'generate', inputs: 'x'.repeat(80 * KIB), max_new_tokens: 1 })
    }
    const first = await Promise.race(clients.map((client) => client.next()))
    expect(first).toMatchObject({ ok: false, traceback: expect.stringContaining('maxBufferedBytes') })
    hold.resolve()
  })
})
