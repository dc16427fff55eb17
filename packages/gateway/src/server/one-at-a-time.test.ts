import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { oneAtATime } from './one-at-a-time.ts'

/** A server whose responses the test ends. */
async function startServer() {
  const served: { readonly path: string; readonly outgoing: ServerResponse }[] = []
  const server = createServer(
    oneAtATime((incoming, outgoing) => served.push({ path: incoming.url ?? '', outgoing })),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    served,
    send(paths: readonly string[]) {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`).join(''))
      return socket
    },
    [Symbol.dispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `/${index}`)

it('begins the next request of a connection when the one before is answered, in their order', async () => {
  using server = await startServer()
  const socket = server.send(numbered(20))
  const received = text(socket)
  for (let index = 0; index < 20; index += 1) {
    await expect.poll(() => server.served.length, { interval: 1 }).toBe(index + 1)
    const { path, outgoing } = server.served[index]!
    expect(path).toBe(`/${index}`)
    if (index === 19) outgoing.setHeader('connection', 'close')
    outgoing.end(`<${index}>`)
  }
  expect((await received).match(/<\d+>/g)).toEqual(numbered(20).map((path) => `<${path.slice(1)}>`))
})

it('closes a connection with hundreds of waiting requests, and begins none of them', async () => {
  using server = await startServer()
  const socket = server.send(numbered(500))
  socket.resume()
  await once(socket, 'close')
  expect(server.served.map(({ path }) => path)).toEqual(['/0'])
})

it.each([
  ['of a client that has gone', (outgoing: ServerResponse) => outgoing.socket?.destroy()],
  [
    'after the last answer of a connection',
    (outgoing: ServerResponse) => void outgoing.setHeader('connection', 'close').end('x'.repeat(1_000_000)),
  ],
])('begins no request %s', async (_what, end) => {
  using server = await startServer()
  const socket = server.send(numbered(3))
  socket.resume()
  await expect.poll(() => server.served.length).toBe(1)
  const { outgoing } = server.served[0]!
  const closed = once(outgoing, 'close')
  end(outgoing)
  await Promise.all([closed, once(socket, 'close')])
  expect(server.served).toHaveLength(1)
})
