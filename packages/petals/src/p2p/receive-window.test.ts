import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLibp2pTransport } from './libp2p-transport.ts'
import type { ByteStream } from './swarm-transport.ts'
import { TestPeer } from './testing/test-peer.ts'

const protocol = 'Test.window'

let resources: AsyncDisposableStack
beforeEach(() => void (resources = new AsyncDisposableStack()))
afterEach(() => resources.disposeAsync())

/** A line to a server, which counts the bytes that the client sends, and can drop them. */
interface Line {
  readonly port: number
  sentBytes: number
  drops: boolean
}

async function startLine(serverPort: number): Promise<Line> {
  const server = createServer({ noDelay: true }, (client) => {
    const target = connectTcp({ port: serverPort, host: '127.0.0.1', noDelay: true })
    client.on('data', (bytes) => {
      line.sentBytes += bytes.length
      if (!line.drops) target.write(bytes)
    })
    target.on('data', (bytes) => client.write(bytes))
    client.on('close', () => target.destroy()).on('error', () => {})
    target.on('close', () => client.destroy()).on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  resources.defer(() => void server.close())
  const line: Line = { port: (server.address() as AddressInfo).port, sentBytes: 0, drops: false }
  return line
}

/** Opens a stream to a peer that does this with it. */
async function connect(serve: (stream: ByteStream) => Promise<void>) {
  const peer = resources.use(await TestPeer.start())
  await peer.handle(protocol, serve)
  const line = await startLine(Number(/tcp\/(\d+)/.exec(peer.address)![1]))
  const client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
  await client.connect([peer.address.replace(/tcp\/\d+/, `tcp/${line.port}`)])
  const stream = resources.use(await client.openStream(peer.id, protocol))
  return { stream, line }
}

describe('the window of a stream', () => {
  it('is not renewed for each message', async () => {
    const message = new Uint8Array(1000)
    const { stream, line } = await connect(async (theirs) => {
      for (let count = 0; count < 100; count++) {
        await theirs.read(1)
        await theirs.write(message)
      }
    })
    const step = async (): Promise<void> => {
      await stream.write(Uint8Array.of(1))
      await stream.read(message.length)
    }
    await step()
    const before = line.sentBytes
    for (let count = 1; count < 100; count++) await step()
    // A byte, in a frame of yamux (12 bytes) in one of Noise (18).
    expect(line.sentBytes - before).toBeLessThan(99 * 40)
  })

  it('has room for a long message from the start, so that it does not wait for the reader', async () => {
    const length = 3 * 2 ** 20
    const asked = Promise.withResolvers<void>()
    const dropped = Promise.withResolvers<void>()
    const { stream, line } = await connect(async (theirs) => {
      await theirs.read(1)
      asked.resolve()
      await dropped.promise
      await theirs.write(new Uint8Array(length))
    })
    await stream.write(Uint8Array.of(1))
    await asked.promise
    line.drops = true
    dropped.resolve()
    expect((await stream.read(length)).length).toBe(length)
  })

  it('is renewed for what is longer than it', async () => {
    const length = 12 * 2 ** 20
    const { stream } = await connect(async (theirs) => {
      await theirs.write(new Uint8Array(length))
      await theirs.read(1)
    })
    expect((await stream.read(length)).length).toBe(length)
    await stream.write(Uint8Array.of(1))
  })
})
