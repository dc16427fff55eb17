import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request as httpRequest } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { GatewayVariables } from '../context.ts'
import { createTestGateway, eventually, type TestGatewayOptions } from '../fixtures/test-gateway.ts'
import { V2Client } from '../fixtures/v2-client.ts'
import { createHttpServer, ListenError } from './http-server.ts'

async function startServer(options: TestGatewayOptions = {}) {
  const test = createTestGateway(options)
  const { url, port } = await test.listen()
  const send = async (request: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    socket.write(request)
    return text(socket)
  }
  return {
    ...test,
    url,
    port,
    /** Sends bytes as they are; reads to the end of the connection. */
    send,
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  }
}

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

describe('listening', () => {
  it('says where it listens', async () => {
    await using server = await startServer()
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  })

  it('says what to do when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    await using test = createTestGateway({ config: { port } })
    await expect(test.listen()).rejects.toThrow(ListenError)
    await expect(test.listen()).rejects.toThrow(`port ${port} on 127.0.0.1: another program uses it`)
    other.close()
  })

  it('says what to do when the address is not of this machine', async () => {
    await using test = createTestGateway({ config: { host: '192.0.2.1', allowPublic: true } })
    await expect(test.listen()).rejects.toThrow('this machine has no such address')
  })

  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.org'])(
    'refuses the public address %s unless told',
    async (host) => {
      await using test = createTestGateway({ config: { host } })
      await expect(test.listen()).rejects.toThrow('server.allowPublic')
    },
  )

  it('listens on a public address when told', async () => {
    await using test = createTestGateway({ config: { host: '0.0.0.0', allowPublic: true } })
    const { port } = await test.listen()
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
  })

  it('does not wait long for slow clients', async () => {
    await using test = createTestGateway()
    const server = createHttpServer(test.app, { isUpgrade: () => false, keepAliveTimeoutMs: 75_000 })
    expect(server).toMatchObject({ headersTimeout: 10_000, requestTimeout: 60_000 })
  })
})

describe('a connection without a request', () => {
  /** The client's side of a pool: one connection, which it keeps. */
  const pool = () => new Agent({ keepAlive: true, maxSockets: 1 })

  async function ask(
    port: number,
    agent: Agent,
  ): Promise<{ readonly localPort: unknown; readonly hint: unknown }> {
    const request = httpRequest({ host: '127.0.0.1', port, path: '/healthz', agent })
    request.end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const { localPort } = response.socket
    await text(response)
    return { localPort, hint: response.headers['keep-alive'] }
  }

  it('stays open for longer than pools of clients and load balancers keep theirs', async () => {
    await using server = await startServer()
    const agent = pool()
    expect((await ask(server.port, agent)).hint).toBe('timeout=75')
    agent.destroy()
    const { keepAliveTimeout, keepAliveTimeoutBuffer } = createHttpServer(server.app, {
      isUpgrade: () => false,
      keepAliveTimeoutMs: 75_000,
    }) as { readonly keepAliveTimeout: number; readonly keepAliveTimeoutBuffer?: number }
    expect(keepAliveTimeout).toBe(75_000)
    // What clients are told ends before the connection does: no request meets one that is just being closed.
    expect(keepAliveTimeoutBuffer).toBeGreaterThan(0)
  })

  it('is used again by a pool', async () => {
    // Node's own pool lets go a second before the time that it is told.
    await using server = await startServer({ config: { keepAliveTimeoutMs: 5_000 } })
    const agent = pool()
    const first = await ask(server.port, agent)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const second = await ask(server.port, agent)
    expect(second).toEqual(first)
    expect(first.hint).toBe('timeout=5')
    agent.destroy()
  })

  it('is closed after the time of the config', async () => {
    await using server = await startServer({ config: { keepAliveTimeoutMs: 1 } })
    expect(await server.send('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')).toContain('200 OK')
  })
})

describe('a client that takes nothing', () => {
  /** 24 MB: more than the buffers of both kernels hold. */
  const large = 'x'.repeat(24 * 1024 * 1024)

  async function listen(writeStallTimeoutMs: number, handler: () => Response | Promise<Response>) {
    const app = new Hono<{ Variables: GatewayVariables }>().get('/', handler)
    const server = createHttpServer(app, {
      isUpgrade: () => false,
      keepAliveTimeoutMs: 5_000,
      writeStallTimeoutMs,
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    const [accepted] = (await once(server, 'connection')) as [Socket]
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    return { socket, accepted, [Symbol.asyncDispose]: async () => void (socket.destroy(), server.close()) }
  }

  it('is cut, whatever it was to get', async () => {
    await using connection = await listen(100, () => new Response(large))
    await eventually(() => connection.accepted.destroyed)
  })

  it('is not cut while its answer is still being made, or while it takes some', async () => {
    await using connection = await listen(1_000, async () => {
      await new Promise((resolve) => setTimeout(resolve, 2_200))
      return new Response(large)
    })
    const { socket } = connection
    let length = 0
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length >= large.length) break
      if (length % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(length).toBeGreaterThan(large.length)
  })
})

describe('hostile requests', () => {
  it.each([
    ['nonsense', 'hello\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
    ['a host that is none', 'GET / HTTP/1.1\r\nhost: a@b/c?d#e\r\nconnection: close\r\n\r\n', 400],
    [
      'two hosts',
      'GET / HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n',
      403,
    ],
    [
      'a foreign absolute URL',
      'GET http://evil.example/healthz HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n',
      403,
    ],
    [
      'a name pointed at this machine',
      'GET /healthz HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n',
      403,
    ],
    ['endless headers', `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    [
      'smuggling',
      'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
  ])('%s', async (_name, request, status) => {
    await using server = await startServer()
    const response = await server.send(request)
    expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(response).toMatch(/x-request-id: [0-9a-f-]{36}/i)
    expect(response).toContain('"error":{"message":"')
    expect(await (await fetch(`${server.url}/healthz`)).json()).toMatchObject({ status: 'ok' })
  })

  it('writes nothing into the middle of an answer', async () => {
    await using server = await startServer({ stepDelayMs: 20 })
    const request = 'GET /api/v1/generate?inputs=a&max_new_tokens=3 HTTP/1.1\r\nhost: localhost\r\n\r\n'
    expect(await server.send(`${request}nonsense\r\n\r\n`)).toBe('')
    await eventually(() => server.engine.openSessions <= 1)
  })

  it('counts a body that declares no length', async () => {
    await using server = await startServer({ config: { maxBodyBytes: 1024 } })
    const post = (body: string) =>
      fetch(`${server.url}/api/v1/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: new Blob([body]).stream(),
        duplex: 'half',
      })
    expect((await post(JSON.stringify({ inputs: 'a'.repeat(2000), max_new_tokens: 1 }))).status).toBe(413)
    expect((await post(JSON.stringify({ inputs: 'a', max_new_tokens: 1 }))).status).toBe(200)
  })

  it('serves a client that offers to upgrade to HTTP/2', async () => {
    await using server = await startServer()
    const response = await server.send(
      'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n',
    )
    expect(response).toContain('"status":"ok"')
  })
})

describe('WebSocket upgrades', () => {
  it('carry a request id', async () => {
    await using server = await startServer()
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
    await using server = await startServer()
    const response = await server.send(upgrade(server.port, headers))
    expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(response).toMatch(/x-request-id: [0-9a-f-]{36}\r\n[^]*\{"ok":false,"traceback":"/)
  })

  it('are for pages of this server, and of origins that the config lets in', async () => {
    await using server = await startServer({ config: { cors: { legacy: ['https://friend.example'] } } })
    for (const origin of [server.url, 'https://friend.example']) {
      using client = new V2Client(server.url, { origin })
      await client.open()
      expect(await client.startSession(16)).toEqual({ ok: true })
    }
  })

  it('are answered as requests where no WebSocket is', async () => {
    await using server = await startServer()
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/nowhere`)
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
    expect(response.statusCode).toBe(404)
    socket.on('error', () => {})
    socket.terminate()
  })

  it('refuse messages that are too long', async () => {
    await using server = await startServer({ config: { maxBodyBytes: 1024 } })
    using client = await new V2Client(server.url).open()
    client.send({ inputs: 'a'.repeat(2000) })
    const [code] = (await once(client.socket, 'close')) as [number]
    expect(code).toBe(1009)
  })

  it('refuse a flood of messages', async () => {
    await using server = await startServer({ stepDelayMs: 60_000 })
    using client = await new V2Client(server.url).open()
    await client.startSession(100)
    for (let i = 0; i < 100; i++) client.send({ type: 'generate', inputs: 'a', max_new_tokens: 1 })
    expect(await client.next()).toEqual({ ok: false, traceback: expect.stringContaining('Wait for answers') })
    await eventually(() => server.engine.openSessions === 0)
  })

  it('cut peers that are gone without a word, and keep those that answer', async () => {
    await using server = await startServer({ config: { webSocketPingIntervalMs: 150 } })
    using alive = await new V2Client(server.url).open()
    const dead: Socket = connect(server.port, '127.0.0.1')
    dead.on('error', () => {})
    dead.write(upgrade(server.port))
    await once(dead, 'data')
    await once(dead.resume(), 'close')
    expect(await alive.startSession(16)).toEqual({ ok: true })
  })
})

describe('closing', () => {
  const generate = '/api/v1/generate?inputs=a&max_new_tokens=5'

  it('lets running answers finish, is not ready at once, and takes no more connections', async () => {
    const hold = Promise.withResolvers<void>()
    await using server = await startServer({ beforeStep: () => hold.promise })
    const answer = fetch(`${server.url}${generate}`)
    await eventually(() => server.engine.openSessions === 1)
    const closed = server.gateway.close({ drainMs: 5_000 })
    expect((await server.app.request('/ready')).status).toBe(503)
    expect((await server.app.request('/healthz')).status).toBe(200)
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
    hold.resolve()
    const response = await answer
    expect(response.status).toBe(200)
    expect(response.headers.get('connection')).toBe('close')
    await closed
    expect(server.engine.openSessions).toBe(0)
  })

  it('does not wait for a connection that its client keeps after a streamed answer', async () => {
    const hold = Promise.withResolvers<void>()
    await using server = await startServer({
      beforeStep: () => hold.promise,
      config: { ssePingIntervalMs: 20 },
    })
    const agent = new Agent({ keepAlive: true })
    const sent = httpRequest(`${server.url}/v1/completions`, { agent, method: 'POST' })
    sent.end(JSON.stringify({ prompt: 'a', max_tokens: 5, stream: true }))
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    // The head is out: it has promised to keep the connection.
    expect(response.headers.connection).toBe('keep-alive')
    const closed = server.gateway.close({ drainMs: 600_000 })
    hold.resolve()
    expect(await text(response)).toContain('[DONE]')
    await closed
    agent.destroy()
  })

  it('ends answers that take too long with an error that says why', async () => {
    await using server = await startServer({ stepDelayMs: 60_000 })
    const answer = fetch(`${server.url}${generate}`)
    using client = await new V2Client(server.url).open()
    await client.startSession(16)
    client.send({ type: 'generate', inputs: 'a', max_new_tokens: 5 })
    await eventually(() => server.engine.openSessions === 2)
    await server.gateway.close({ drainMs: 30 })
    const response = await answer
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await response.json()).toEqual({ ok: false, traceback: expect.stringContaining('shutting down') })
    expect(await client.next()).toEqual({ ok: false, traceback: expect.stringContaining('shutting down') })
    expect(server.engine.openSessions).toBe(0)
  })

  it('ends event streams that take too long with an error event', async () => {
    await using server = await startServer({ stepDelayMs: 5 })
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'test', prompt: 'a', max_tokens: 2000, stream: true }),
    })
    const closed = server.gateway.close({ drainMs: 50 })
    const events = (await response.text()).split('\n\n').filter((event) => event.startsWith('data: '))
    await closed
    expect(events.length).toBeGreaterThan(1)
    expect(events.some((event) => event.includes('"code":"shutting_down"'))).toBe(true)
    expect(events.some((event) => event.includes('"finish_reason":"length"'))).toBe(false)
  })

  it('hurries when asked again', async () => {
    await using server = await startServer({ stepDelayMs: 60_000 })
    const answer = fetch(`${server.url}${generate}`)
    await eventually(() => server.engine.openSessions === 1)
    const closed = server.gateway.close({ drainMs: 60_000 })
    await server.gateway.close({ drainMs: 0 })
    await closed
    expect((await answer).status).toBe(503)
  })

  it('sends idle WebSockets away at once, and busy ones after their answer', async () => {
    const hold = Promise.withResolvers<void>()
    await using server = await startServer({ beforeStep: () => hold.promise })
    using idle = await new V2Client(server.url).open()
    await idle.startSession(16)
    using busy = await new V2Client(server.url).open()
    await busy.startSession(16)
    busy.send({ type: 'generate', inputs: 'a', max_new_tokens: 5 })
    await eventually(() => server.engine.openSessions === 1)
    const closed = server.gateway.close({ drainMs: 5_000 })
    expect(await idle.next()).toMatchObject({ ok: false })
    hold.resolve()
    expect(await busy.next()).toMatchObject({ ok: true, stop: true, token_count: 5 })
    expect(await busy.next()).toMatchObject({ ok: false })
    await closed
  })

  it('does not wait for connections that do nothing', async () => {
    await using server = await startServer()
    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    const closed = once(socket, 'close')
    await server.gateway.close({ drainMs: 5_000 })
    await closed
  })

  it('closes once, however often it is asked, also when it never listened', async () => {
    await using test = createTestGateway()
    await Promise.all([test.gateway.close(), test.gateway.close({ drainMs: 0 })])
    await using server = await startServer()
    await Promise.all([server.gateway.close(), server.gateway[Symbol.asyncDispose]()])
  })
})
