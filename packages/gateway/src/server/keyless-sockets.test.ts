import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KeyStore } from '@petals-chat/access'
import { openAccessDatabase } from '@petals-chat/access/database'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { asCaller, TestCallers } from '../fixtures/test-callers.ts'
import { describeError } from '../error-response.ts'
import { eventually } from '../fixtures/test-gateway.ts'
import { startTestServer, type TestServer } from '../fixtures/test-server.ts'
import { type Message, V2Client } from '../fixtures/v2-client.ts'
import { type KeylessBounds, KeylessSockets } from './keyless-sockets.ts'
import { createWebSocketServer } from './websocket-server.ts'

const opening = { type: 'open_inference_session', max_length: 64 }

/** The last message of a socket, and the code that closed it. */
async function endOf(client: V2Client): Promise<{ readonly code: number; readonly last: Message }> {
  const closed = once(client.socket, 'close')
  let last, next
  while ((next = await client.next()) !== undefined) last = next
  const [code] = (await closed) as [number]
  return { code, last }
}

/** Sends one message without a header, and returns how the socket ended. */
async function refusalOf(server: TestServer, message: object | string) {
  using client = await server.connect()
  client.send(message)
  const { code, last } = await endOf(client)
  return [code, last?.traceback]
}

it('are served for a key in the first message as for one in a header', async () => {
  const callers = new TestCallers().add('one').add('two', { models: [] })
  await using server = await startTestServer({ callers: [callers] })
  const client = await server.connect()
  // The next message, of a client that does not wait, is as long as any.
  client.send({ ...opening, api_key: ' one ' })
  const answer = client.generate({ inputs: 'Hi '.repeat(20_000), max_new_tokens: 2 })
  expect(await answer).toMatchObject([
    { ok: true },
    { ok: false, traceback: expect.stringContaining('Maximum length') as string },
  ])

  const other = await server.connect()
  other.send({ ...opening, api_key: 'two' })
  expect(await other.next()).toMatchObject({
    ok: false,
    traceback: expect.stringContaining('does not exist') as string,
  })
})

it('may continue a session of their key, and of no other', async () => {
  const callers = new TestCallers().add('one').add('two')
  await using server = await startTestServer({ callers: [callers] })
  const { id } = await (await server.connect(asCaller('one'))).startSession(64, { resumable: true })
  const resume = { type: 'resume', id, received: 0 }
  expect(await refusalOf(server, { ...resume, api_key: 'two' })).toEqual([
    1000,
    expect.stringContaining('expired'),
  ])
  const client = await server.connect()
  client.send({ ...resume, api_key: 'one' })
  expect(await client.next()).toMatchObject({ ok: true, id, generate_count: 0 })
})

it('are refused in words, with the code of the error, and without work', async () => {
  const callers = new TestCallers().add('openai', { scopes: ['openai'] }).add('one')
  await using server = await startTestServer({ callers: [callers] })
  for (const message of [opening, { ...opening, api_key: '' }, { ...opening, api_key: 7 }, '[]', 'x', ''])
    expect(await refusalOf(server, message)).toEqual([3000, expect.stringContaining('"api_key": "KEY"')])
  expect(await refusalOf(server, { ...opening, api_key: 'wrong' })).toEqual([
    3000,
    expect.stringContaining('not known'),
  ])
  expect(await refusalOf(server, { ...opening, api_key: 'openai' })).toEqual([
    3003,
    expect.stringContaining("'legacy' is missing"),
  ])
  const long = { ...opening, model: 'x'.repeat(8_192), api_key: 'one' }
  expect(await refusalOf(server, long)).toEqual([1009, expect.stringContaining('8192 bytes')])
  expect(await refusalOf(server, 'x'.repeat(1_000_000))).toEqual([
    1009,
    expect.stringContaining('8192 bytes'),
  ])
  expect([server.engine.loads, server.engine.sessionsOpened]).toEqual([0, 0])
  for (const figure of ['petals_chat_websocket_connections', 'petals_chat_buffered_bytes'])
    await expect.poll(() => server.figure(figure)).toBe(0)
})

it('count as wrong keys, and end when their key is revoked', async () => {
  const keys = new KeyStore(openAccessDatabase(':memory:'))
  const { key, token } = keys.create({ name: 'one' })
  const access = { keys: 'required', wrongKeysPerMinute: 2 } as const
  await using server = await startTestServer({ keys, config: { access } })
  const wrong = { ...opening, api_key: `${token}x` }
  for (const code of [3000, 3000, 1013]) expect((await refusalOf(server, wrong))[0]).toBe(code)
  const response = await fetch(`${server.url}/v1/models`, { headers: asCaller(`${token}x`) })
  expect(response.status).toBe(429)

  const client = await server.connect()
  client.send({ ...opening, api_key: token })
  expect(await client.next()).toEqual({ ok: true })
  keys.revoke(key.id)
  const { last } = await endOf(client)
  expect(last.traceback).toContain('was revoked')
})

it('are bounded for each address, until they are served', async () => {
  const callers = new TestCallers().add('one')
  const config = { trustedProxies: ['loopback'], maxWebSocketsPerClient: 40 }
  await using server = await startTestServer({ callers: [callers], config })
  const from = (address: string) => server.connect({ 'x-forwarded-for': address })
  const waiting = await Promise.all(Array.from({ length: 32 }, () => from('192.0.2.1')))
  const refused = new V2Client(server.url, { 'x-forwarded-for': '192.0.2.1' })
  const [, response] = (await once(refused.socket, 'unexpected-response')) as [
    unknown,
    { statusCode: number },
  ]
  expect(response.statusCode).toBe(429)
  await from('192.0.2.2')
  await server.connect({ 'x-forwarded-for': '192.0.2.1', ...asCaller('one') })
  waiting[0]!.send({ ...opening, api_key: 'one' })
  expect(await waiting[0]!.next()).toEqual({ ok: true })
  await from('192.0.2.1')
})

it('end with the server', async () => {
  await using server = await startTestServer({ callers: [new TestCallers()] })
  const client = await server.connect()
  const closing = server.gateway.close()
  expect(await endOf(client)).toMatchObject({ code: 1013, last: { ok: false } })
  await closing
})

/** Sockets with narrow bounds. `ends`: the code of each error, in the order of the ends. */
async function startNarrow(bounds: Partial<KeylessBounds>) {
  const drain = new AbortController()
  const sockets = new KeylessSockets(drain.signal, {
    timeoutMs: 600_000,
    maxMessageBytes: 100,
    maxPerClient: 9,
    maxTogether: 9,
    ...bounds,
  })
  const ends: string[] = []
  const protocol = createWebSocketServer({ maxMessageBytes: 1_000 })
  const server = createServer().on('upgrade', (request, socket, head) =>
    protocol.handleUpgrade(request, socket, head, (webSocket) =>
      sockets.awaitKey(webSocket, request.socket, {
        take: (key) => ends.push(key),
        refuse: (error) => ends.push(describeError(error, '').code),
      }),
    ),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ends,
    async open(): Promise<WebSocket> {
      const socket = new WebSocket(url)
      await once(socket, 'open')
      return socket
    },
    [Symbol.dispose]() {
      for (const socket of protocol.clients) socket.terminate()
      server.close()
    },
  }
}

it('wait for a bounded time', async () => {
  using narrow = await startNarrow({ timeoutMs: 20 })
  const socket = await narrow.open()
  socket.ping()
  await eventually(() => narrow.ends.length > 0)
  expect(narrow.ends).toEqual(['authentication_required'])
  socket.send('{"api_key": "late"}')
  socket.close()
  await once(socket, 'close')
  expect(narrow.ends).toHaveLength(1)
})

it('make room for the next one, the one that waits longest first', async () => {
  using narrow = await startNarrow({ maxTogether: 2 })
  const [, second, third] = [await narrow.open(), await narrow.open(), await narrow.open()]
  expect(narrow.ends).toEqual(['capacity'])
  third.send('{"api_key": "third"}')
  await eventually(() => narrow.ends.length > 1)
  second.send('{"api_key": "second"}')
  await eventually(() => narrow.ends.length > 2)
  expect(narrow.ends).toEqual(['capacity', 'third', 'second'])
})
