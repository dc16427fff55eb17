import { type Server, createServer } from 'node:http'
import { type Server as TcpServer, type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { canReachHub } from './reachability.ts'

const servers: (Server | TcpServer)[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(server: Server | TcpServer): Promise<string> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const answering = (status: number): Promise<string> =>
  listen(createServer((_, response) => response.writeHead(status).end('x')))

const reach = (endpoint: string, signal?: AbortSignal) =>
  canReachHub({ endpoint, offline: false }, { signal })

it.each([
  [200, true],
  [401, true],
  [404, true],
  [429, true],
  [407, false],
  [502, false],
  [503, false],
])('an answer of %i means %s', async (status, expected) => {
  expect(await reach(await answering(status))).toBe(expected)
})

it('a refused connection and an unknown name mean no', async () => {
  expect(await reach('http://127.0.0.1:9')).toBe(false)
  expect(await reach('http://no-such-host.invalid')).toBe(false)
})

it('a connection that hangs and a DNS that is silent mean no', async () => {
  const hanging = await listen(createTcpServer((socket) => void socket.on('error', () => {})))
  // A look-up in the DNS can't be cancelled: such a `fetch` never settles.
  const silentDns = canReachHub(
    { endpoint: 'http://silent.example', offline: false },
    { fetch: () => new Promise(() => {}) },
  )
  expect(await Promise.all([reach(hanging), silentDns])).toEqual([false, false])
})

it('the result is cached for the process', async () => {
  let asked = 0
  const endpoint = await listen(createServer((_, response) => void (asked++, response.end('[]'))))
  expect(await Promise.all([reach(endpoint), reach(endpoint)])).toEqual([true, true])
  expect(await reach(endpoint)).toBe(true)
  expect(asked).toBe(1)
})

it('offline means no, without a request', async () => {
  const fetch = (): Promise<Response> => Promise.reject(new Error('must not be asked'))
  expect(await canReachHub({ endpoint: 'http://off.example', offline: true }, { fetch })).toBe(false)
})

it('lets a caller stop waiting; other callers still get the answer', async () => {
  const { promise, resolve } = Promise.withResolvers<Response>()
  const endpoint = 'http://slow.example'
  const abort = new AbortController()
  const first = canReachHub({ endpoint, offline: false }, { fetch: () => promise, signal: abort.signal })
  const second = reach(endpoint)
  abort.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  resolve(new Response('[]'))
  expect(await second).toBe(true)
})
