import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../fixtures/test-gateway.ts'
import { startTestServer } from '../fixtures/test-server.ts'
import { V2Client } from '../fixtures/v2-client.ts'

const upgrade = (port: number, headers: Record<string, string> = {}) =>
  `GET /api/v2/generate HTTP/1.1\r\n${Object.entries({
    host: `127.0.0.1:${port}`,
    connection: 'upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`

describe('WebSocket upgrades', () => {
  it('carry a request id', async () => {
    await using server = await startTestServer()
    const socket = connect(server.port, '127.0.0.1')
    socket.write(upgrade(server.port, { 'x-request-id': 'mine-1' }))
    const [head] = (await once(socket, 'data')) as [Buffer]
    expect(head.toString()).toMatch(/^HTTP\/1\.1 101 /)
    expect(head.toString()).toContain('x-request-id: mine-1')
    socket.destroy()
  })

  it.each([
    ['a page of another origin', { origin: 'https://evil.example' }, 403],
    ['a name pointed at this machine', { host: 'evil.example', origin: 'http://evil.example' }, 403],
    ['a handshake that is none', { 'sec-websocket-key': 'short' }, 400],
  ])('are refused to %s', async (_name, headers, status) => {
    await using server = await startTestServer()
    const response = await server.send(upgrade(server.port, headers))
    expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(response).toMatch(/x-request-id: [0-9a-f-]{36}\r\n[^]*\{"ok":false,"traceback":"/)
  })

  it('are for pages of this server, and of origins that the config lets in', async () => {
    await using server = await startTestServer({ config: { cors: { legacy: ['https://friend.example'] } } })
    for (const origin of [server.url, 'https://friend.example']) {
      using client = new V2Client(server.url, { origin })
      await client.open()
      expect(await client.startSession(16)).toEqual({ ok: true })
    }
  })

  it('are answered as requests where no WebSocket is', async () => {
    await using server = await startTestServer()
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/nowhere`)
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
    expect(response.statusCode).toBe(404)
    socket.on('error', () => {})
    socket.terminate()
  })

  it('refuse messages that are too long', async () => {
    await using server = await startTestServer({ config: { maxBodyBytes: 1024 } })
    using client = await new V2Client(server.url).open()
    client.send({ inputs: 'a'.repeat(2000) })
    const [code] = (await once(client.socket, 'close')) as [number]
    expect(code).toBe(1009)
  })

  it('refuse a flood of messages', async () => {
    await using server = await startTestServer({ stepDelayMs: 60_000 })
    using client = await new V2Client(server.url).open()
    await client.startSession(100)
    for (let i = 0; i < 100; i++) client.send({ type: 'generate', inputs: 'a', max_new_tokens: 1 })
    expect(await client.next()).toEqual({ ok: false, traceback: expect.stringContaining('Wait for answers') })
    await eventually(() => server.engine.openSessions === 0)
  })

  it('cut peers that are gone without a word, and keep those that answer', async () => {
    await using server = await startTestServer({ config: { webSocketPingIntervalMs: 150 } })
    using alive = await new V2Client(server.url).open()
    const dead: Socket = connect(server.port, '127.0.0.1')
    dead.on('error', () => {})
    dead.write(upgrade(server.port))
    await once(dead, 'data')
    await once(dead.resume(), 'close')
    expect(await alive.startSession(16)).toEqual({ ok: true })
  })
})
