import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { readJson } from '../fixtures/test-gateway.ts'
import { startTestServer, type TestServer } from '../fixtures/test-server.ts'
import { ConnectionCap } from './connection-cap.ts'

const config = { trustedProxies: ['loopback'], maxConnectionsPerClient: 2, maxWebSocketsPerClient: 2 }

/** Begins an answer for the client that the proxy has named, and leaves it running. */
const begin = (server: TestServer, client: string, signal?: AbortSignal): Promise<Response> =>
  fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': client },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], stream: true, max_tokens: 1_000 }),
    ...(signal && { signal }),
  })

it('bounds the requests of a client behind a trusted proxy, by its forwarded address', async () => {
  await using server = await startTestServer({ config, stepDelayMs: 20 })
  const leaving = new AbortController()
  const running = [await begin(server, '192.0.2.1', leaving.signal), await begin(server, '192.0.2.1')]
  expect(running.map(({ status }) => status)).toEqual([200, 200])
  const refused = await begin(server, '203.0.113.9, 192.0.2.1')
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect((await readJson(refused)).error).toMatchObject({
    code: 'rate_limit_exceeded',
    message: expect.stringMatching(/2 requests open.*maxConnectionsPerClient.*Close some/),
  })
  const other = await begin(server, '192.0.2.2')
  expect(other.status).toBe(200)
  leaving.abort()
  await expect
    .poll(async () => {
      const next = await begin(server, '192.0.2.1', AbortSignal.timeout(5_000))
      await next.body?.cancel()
      return next.status
    })
    .toBe(200)
  for (const response of [running[1], other]) await response?.body?.cancel()
})

it('bounds the WebSockets of a client, and frees them when they close', async () => {
  await using server = await startTestServer({ config })
  const from = (client: string) => server.connect({ 'x-forwarded-for': client })
  const [first] = [await from('192.0.2.1'), await from('192.0.2.1')]
  await expect(from('192.0.2.1')).rejects.toThrow('429')
  await from('192.0.2.2')
  first!.socket.close()
  await expect.poll(() => from('192.0.2.1').then(() => 'open', String)).toBe('open')
})

it('bounds the connections of a client without a proxy, and those of this machine not at all', async () => {
  const capped = async (address: string, count: number): Promise<string> => {
    const server = createServer()
    const client = { address, network: address, secure: false }
    new ConnectionCap({ max: 2, readClient: () => client, isProxy: () => false }).watch(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1'))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    const last = sockets.at(-1)!
    if (count === 2 || address === '127.0.0.1') last.end()
    const answer = await text(last)
    for (const socket of sockets) socket.destroy()
    server.close()
    return answer
  }
  const refusal = /^HTTP\/1.1 429 [^]*retry-after: 1\r\n[^]*2 connections open/
  expect(await capped('192.0.2.1', 3)).toMatch(refusal)
  expect(await capped('192.0.2.1', 2)).toBe('')
  expect(await capped('127.0.0.1', 5)).toBe('')
})
