import { createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { dialReasons } from './dial-reasons.ts'
import { createLibp2pTransport } from './libp2p-transport.ts'

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name })

it('has each reason once, of all peers and addresses', () => {
  const unresolved = new Error('connection error b.example:31337: getaddrinfo ENOTFOUND b.example')
  const again = new Error('getaddrinfo EAI_AGAIN b.example')
  const refused = new Error('connect ECONNREFUSED 127.0.0.1:1.')
  const nested = new AggregateError([new AggregateError([unresolved, again]), new AggregateError([refused])])
  expect(dialReasons(nested)).toBe("the name b.example can't be resolved; connect ECONNREFUSED 127.0.0.1:1")
})

it('says that something other than the peer answers', () => {
  const error = named('EncryptionFailedError', 'Missing newline')
  expect(dialReasons(error)).toBe('what answers there is not the expected peer (Missing newline)')
})

it('ends after three reasons', () => {
  const errors = Array.from({ length: 9 }, (_, i) => new Error(`reason ${i}`))
  expect(dialReasons(new AggregateError(errors))).toBe('reason 0; reason 1; reason 2; …')
  expect(dialReasons('text')).toBe('text')
})

it.each<readonly [how: string, answer: (socket: Socket) => void, words: RegExp]>([
  ['is an HTTP server', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /not the expected peer/],
  ['ends connections', (socket) => socket.end(), /it ends the connection before the handshake is complete/],
  [
    'resets connections',
    (socket) => socket.once('data', () => socket.resetAndDestroy()),
    /it ends the connection before the handshake is complete \(read ECONNRESET\)/,
  ],
])('says so if what is at the address of a peer %s', async (_, answer, words) => {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await using transport = await createLibp2pTransport({ connectTimeoutMs: 5000 })
  const peer = 'QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44'
  try {
    const joining = transport.connect([`/ip4/127.0.0.1/tcp/${port}/p2p/${peer}`])
    await expect(joining).rejects.toThrow(/its only initial peer does not answer/)
    await expect(joining).rejects.toThrow(words)
  } finally {
    server.close()
  }
})
