import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { KeyStore } from '@petals-chat/access'
import { openAccessDatabase } from '@petals-chat/access/database'
import { describe, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../fixtures/test-server.ts'

const KIB = 1024
const chat = 'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n'
const ask = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 })

/** Sends a request's head, and returns what comes within one answer or interim answer. */
async function open({ port }: TestServer, head: string): Promise<{ socket: Socket; first: string }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`${head}\r\n`)
  const [data] = (await once(socket, 'data')) as [Buffer]
  return { socket, first: data.toString() }
}

/** Sends chunks without an end, as fast as they are taken, and returns all that comes back. */
async function sendWithoutEnd({ port }: TestServer, head: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`${head}transfer-encoding: chunked\r\n\r\n`)
  const chunk = `${(16 * KIB).toString(16)}\r\n${'x'.repeat(16 * KIB)}\r\n`
  const send = () => void (socket.writable && socket.write(chunk, () => setImmediate(send)))
  send()
  return text(socket)
}

describe('an answer before the end of a body', () => {
  it.each([
    ['that is too long', chat, 413],
    ['for a path where nothing is', 'POST /nothing HTTP/1.1\r\nhost: localhost\r\n', 404],
    ['for another host', 'POST /v1/chat/completions HTTP/1.1\r\nhost: evil.example\r\n', 403],
    ['for a host that is none', 'POST / HTTP/1.1\r\nhost: a@b\r\n', 400],
  ])('%s arrives whole, and tells that the connection is closed', async (_name, head, status) => {
    await using server = await startTestServer({ config: { maxBodyBytes: 256 * KIB } })
    const answer = await sendWithoutEnd(server, head)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    expect(answer).not.toMatch(/keep-alive/i)
    expect(answer).toMatch(/"message":"[^"]*"[^]*\}$/)
  })

  it('reaches a client that reads nothing before it has sent all', async () => {
    await using server = await startTestServer({ config: { maxBodyBytes: 256 * KIB } })
    const socket = connect(server.port, '127.0.0.1')
    socket.pause()
    for (const part of [`${chat}content-length: 20000000\r\n\r\n`, 'x'.repeat(20_000_000)])
      await new Promise<void>((resolve, reject) => {
        socket.write(part, (error) => (error ? reject(error) : resolve()))
      })
    expect(await text(socket)).toMatch(
      /^HTTP\/1\.1 413 [^]*\r\nconnection: close\r\n[^]*"request_too_large"/i,
    )
  })

  it('is the last one of its connection, also for requests that were sent in advance', async () => {
    await using server = await startTestServer({ config: { maxBodyBytes: 1 * KIB } })
    const long = `${chat}content-length: 100000\r\n\r\n`
    const { socket, first } = await open(server, long.slice(0, -2))
    expect(first).toMatch(/^HTTP\/1\.1 413 /)
    socket.write('x'.repeat(100_000))
    socket.write(`${chat}content-length: ${ask.length}\r\n\r\n${ask}`)
    socket.end()
    expect(await text(socket)).toBe('')
    expect(server.engine.steps).toBe(0)
  })

  it('leaves the connection open where the rest of the body is short', async () => {
    await using server = await startTestServer()
    const { socket, first } = await open(
      server,
      'POST /nothing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n',
    )
    expect(first).toMatch(/^HTTP\/1\.1 404 [^]*\r\nconnection: keep-alive\r\n/i)
    socket.write('{}GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('Expect: 100-continue', () => {
  const expecting = 'expect: 100-continue\r\n'

  it('is answered when the body is about to be read', async () => {
    await using server = await startTestServer()
    for (const framing of [`content-length: ${ask.length}\r\n`, 'transfer-encoding: chunked\r\n']) {
      const { socket, first } = await open(server, `${chat}${expecting}${framing}connection: close\r\n`)
      expect(first).toBe('HTTP/1.1 100 Continue\r\n\r\n')
      socket.write(framing.startsWith('content') ? ask : `${ask.length.toString(16)}\r\n${ask}\r\n0\r\n\r\n`)
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /)
    }
  })

  it.each([
    ['of a body that is too long', `${chat}content-length: 100000000\r\n`, 413],
    ['without a key', `${chat}content-length: 2\r\nauthorization: Bearer wrong\r\n`, 401],
    [
      'of a page that may not use this server',
      `${chat}content-length: 2\r\norigin: https://evil.example\r\n`,
      403,
    ],
    ['where nothing is', 'POST /nothing HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n', 404],
    ['in a coding that is unknown', `${chat}content-length: 2\r\ncontent-encoding: x\r\n`, 415],
  ])('%s is refused at once', async (_name, head, status) => {
    await using server = await startTestServer({
      keys: new KeyStore(openAccessDatabase(':memory:')),
      config: { access: { keys: status === 401 ? 'required' : 'off' } },
    })
    const { socket, first } = await open(server, `${head}${expecting}`)
    expect(first).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\nconnection: close\\r\\n`, 'i'))
    socket.end()
    expect(await text(socket)).not.toContain('100 Continue')
  })
})
