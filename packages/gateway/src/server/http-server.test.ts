import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request as httpRequest } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import type { GatewayVariables } from '../context.ts'
import { createTestGateway, eventually } from '../fixtures/test-gateway.ts'
import { startTestServer } from '../fixtures/test-server.ts'
import { ListenError } from '../listen-error.ts'
import { createHttpServer } from './http-server.ts'
import { requestListener } from './request-listener.ts'

describe('listening', () => {
  it('says where it listens', async () => {
    await using server = await startTestServer()
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
    await using test = createTestGateway({ config: { host: '192.0.2.1', insecurePublic: true } })
    await expect(test.listen()).rejects.toThrow('this machine has no such address')
  })

  it.runIf(process.platform === 'linux')('says what an address of one link needs', async () => {
    await using test = createTestGateway({ config: { host: 'fe80::1', insecurePublic: true } })
    await expect(test.listen()).rejects.toThrow('needs the name of its interface')
  })

  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.org'])(
    'refuses the public address %s without keys, unless told',
    async (host) => {
      await using test = createTestGateway({ config: { host, access: { keys: 'off' } } })
      await expect(test.listen()).rejects.toThrow('server.access.keys')
    },
  )

  it('listens on a public address when told', async () => {
    await using test = createTestGateway({ config: { host: '0.0.0.0', insecurePublic: true } })
    const { port } = await test.listen()
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
  })

  it('does not wait long for slow clients', async () => {
    await using test = createTestGateway()
    const server = createHttpServer(requestListener(test.app), {
      isUpgrade: () => false,
      keepAliveTimeoutMs: 75_000,
    })
    expect(server).toMatchObject({ headersTimeout: 10_000, requestTimeout: 0 })
  })
})

describe('headers that are late', () => {
  async function listenWithShortTimes(test: ReturnType<typeof createTestGateway>) {
    const timeouts = { headersTimeout: 100, requestTimeout: 0, connectionsCheckingInterval: 20 } as const
    const server = createHttpServer(requestListener(test.app), {
      isUpgrade: () => false,
      keepAliveTimeoutMs: 75_000,
      timeouts,
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await Promise.all([accepted, once(client, 'connect')])
    return { client, close: () => server.close() }
  }

  it('are served if this program was too busy to read them', async () => {
    await using test = createTestGateway()
    const { client, close } = await listenWithShortTimes(test)
    client.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
    const busyUntil = performance.now() + 300
    while (performance.now() < busyUntil);
    expect(await text(client)).toMatch(/^HTTP\/1.1 200 /)
    close()
  })

  it.each(['', 'GET /healthz HTTP/1.1\r\nhost: loc'])(
    'are refused in words if only this came: %j',
    async (part) => {
      await using test = createTestGateway()
      const { client, close } = await listenWithShortTimes(test)
      client.write(part)
      expect(await text(client)).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n[^]*"code":"request_timeout"/)
      close()
    },
  )

  it('are waited for once more if a part came while this program was busy', async () => {
    await using test = createTestGateway()
    const { client, close } = await listenWithShortTimes(test)
    client.write('GET /healthz HTTP/1.1\r\n')
    const busyUntil = performance.now() + 300
    while (performance.now() < busyUntil);
    expect(await text(client)).toMatch(/^HTTP\/1.1 408 /)
    close()
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
    await using server = await startTestServer()
    const agent = pool()
    expect((await ask(server.port, agent)).hint).toBe('timeout=75')
    agent.destroy()
    const { keepAliveTimeout, keepAliveTimeoutBuffer } = createHttpServer(requestListener(server.app), {
      isUpgrade: () => false,
      keepAliveTimeoutMs: 75_000,
    }) as { readonly keepAliveTimeout: number; readonly keepAliveTimeoutBuffer?: number }
    expect(keepAliveTimeout).toBe(75_000)
    // What clients are told ends before the connection does: no request meets one that is just being closed.
    expect(keepAliveTimeoutBuffer).toBeGreaterThan(0)
  })

  it('is used again by a pool', async () => {
    // Node's own pool lets go a second before the time that it is told.
    await using server = await startTestServer({ config: { keepAliveTimeoutMs: 5_000 } })
    const agent = pool()
    const first = await ask(server.port, agent)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const second = await ask(server.port, agent)
    expect(second).toEqual(first)
    expect(first.hint).toBe('timeout=5')
    agent.destroy()
  })

  it('is closed after the time of the config', async () => {
    await using server = await startTestServer({ config: { keepAliveTimeoutMs: 1 } })
    expect(await server.send('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')).toContain('200 OK')
  })
})

describe('a client that takes nothing', () => {
  /** 24 MB: more than the buffers of both kernels hold. */
  const large = 'x'.repeat(24 * 1024 * 1024)

  async function listen(writeStallTimeoutMs: number, handler: () => Response | Promise<Response>) {
    const app = new Hono<{ Variables: GatewayVariables }>().get('/', handler)
    const server = createHttpServer(requestListener(app), {
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

describe('a request of HTTP/1.0', () => {
  it.each(['127.0.0.1', '::1'])(
    'needs no host at %s: health checks of load balancers name none',
    async (host) => {
      await using test = createTestGateway({ config: { host } })
      const { port } = await test.listen()
      const socket = connect(port, host)
      socket.write('GET /ready HTTP/1.0\r\n\r\n')
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /)
    },
  )

  const [link] = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.filter(({ address }) => address.startsWith('fe80:')).map(({ address }) => `${address}%${name}`),
  )
  it.runIf(link !== undefined)('needs none at an address of one link, either', async () => {
    await using test = createTestGateway({ config: { host: link!, insecurePublic: true } })
    const { port } = await test.listen()
    const socket = connect(port, link)
    socket.write('GET /ready HTTP/1.0\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('is held to the host that it names', async () => {
    await using server = await startTestServer()
    expect(await server.send('GET /ready HTTP/1.0\r\nhost: evil.example\r\n\r\n')).toContain('403 Forbidden')
  })
})

it('a request and a WebSocket with an empty Origin are served, those with Origin: null are not', async () => {
  await using server = await startTestServer()
  const send = (origin: string) =>
    server.send(
      `GET /api/v1/generate?inputs=a&max_new_tokens=1 HTTP/1.1\r\nhost: localhost\r\norigin: ${origin}\r\nconnection: close\r\n\r\n`,
    )
  expect(await send('')).toMatch(/^HTTP\/1\.1 200 /)
  expect(await send('null')).toMatch(/^HTTP\/1\.1 403 /)
  await server.connect({ origin: '' })
  await expect(server.connect({ origin: 'null' })).rejects.toThrow('403')
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
    await using server = await startTestServer()
    const response = await server.send(request)
    expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} \\w`))
    expect(response).toMatch(/x-request-id: [0-9a-f-]{36}/i)
    expect(response).toContain('"error":{"message":"')
    expect(await (await fetch(`${server.url}/healthz`)).json()).toMatchObject({ status: 'ok' })
  })

  it('writes nothing into the middle of an answer, which is completed', async () => {
    await using server = await startTestServer({ stepDelayMs: 20 })
    const request = 'GET /api/v1/generate?inputs=a&max_new_tokens=3 HTTP/1.1\r\nhost: localhost\r\n\r\n'
    const response = await server.send(`${request}nonsense\r\n\r\n`)
    expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n[^{]*\{"ok":true,"outputs":"[^"]+"\}$/)
  })

  it('refuses at once a request whose body can’t be read on', async () => {
    await using server = await startTestServer()
    const head = 'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n'
    const started = performance.now()
    const response = await server.send(`${head}transfer-encoding: chunked\r\n\r\nzz\r\nzz\r\n`)
    expect(response).toMatch(/^HTTP\/1\.1 400 [^]*"The request is not well-formed HTTP\./)
    const cut = connect(server.port, '127.0.0.1')
    cut.end(`${head}content-length: 100\r\n\r\n{"prompt"`)
    expect(await text(cut)).toMatch(/^HTTP\/1\.1 400 /)
    // A body that comes too slowly is given 10 s.
    expect(performance.now() - started).toBeLessThan(5_000)
  })

  it('ends the answer to a client that has left within the next request', async () => {
    await using server = await startTestServer({ stepDelayMs: 20 })
    const client = connect(server.port, '127.0.0.1')
    client.write(
      'GET /api/v1/generate?inputs=a&max_new_tokens=500 HTTP/1.1\r\nhost: localhost\r\n\r\nPOST /v1',
    )
    await eventually(() => server.engine.steps > 2)
    client.destroy()
    await eventually(async () => {
      const { steps } = server.engine
      await sleep(200)
      return server.engine.steps === steps
    })
    expect(server.engine.steps).toBeLessThan(300)
  })

  it('tells a client that counts characters for bytes that its body is cut', async () => {
    await using server = await startTestServer()
    const body = '{"prompt": "Ein Käsebrötchen"}'
    const head = `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n`
    const response = await server.send(`${head}${body}`)
    expect(response).toMatch(/^HTTP\/1\.1 400 /)
    expect(response).toContain('could not be parsed as JSON: it ends too early')
  })

  it('counts a body that declares no length', async () => {
    await using server = await startTestServer({ config: { maxBodyBytes: 1024 } })
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
    await using server = await startTestServer()
    const response = await server.send(
      'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n',
    )
    expect(response).toContain('"status":"ok"')
  })
})
