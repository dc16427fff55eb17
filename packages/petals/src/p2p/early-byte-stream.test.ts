import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ConnectionLostError, ProtocolError } from '../errors.ts'
import { createRpcClient } from '../rpc/transport-rpc-client.ts'
import { FaultyLink } from '../testing/faulty-link.ts'
import { EarlyByteStream, maxEarlyBytes } from './early-byte-stream.ts'
import { protocolHeader } from './early-negotiation.ts'
import { createLibp2pTransport } from './libp2p-transport.ts'
import type { PeerId } from './peer-id.ts'
import type { ByteStream, SwarmTransport } from './swarm-transport.ts'
import { TestPeer } from './testing/test-peer.ts'

const protocol = 'Test.early'
const peerId = 'QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5' as PeerId

/** One end of a stream, in memory: what the peer sends is given, what is written is kept. */
class FakeStream implements ByteStream {
  written: Uint8Array[] = []
  abortReason: Error | undefined
  #answer: Buffer
  readonly #atEnd: 'lost' | 'silent'
  readonly #aborted = Promise.withResolvers<never>()

  constructor(answer: Uint8Array, atEnd: 'lost' | 'silent' = 'silent') {
    this.#answer = Buffer.from(answer)
    this.#atEnd = atEnd
    this.#aborted.promise.catch(() => {})
  }

  get text(): string {
    return Buffer.concat(this.written).toString()
  }

  async read(byteLength: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Uint8Array> {
    if (this.#answer.length >= byteLength) {
      const bytes = this.#answer.subarray(0, byteLength)
      this.#answer = this.#answer.subarray(byteLength)
      return bytes
    }
    if (this.#atEnd === 'lost') throw new ConnectionLostError('It was reset.')
    signal?.addEventListener('abort', () => this.abort(signal.reason as Error))
    return await this.#aborted.promise
  }

  async write(bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
    if (this.abortReason) throw this.abortReason
    this.written.push(
      ...(bytes instanceof Uint8Array ? [bytes] : bytes).map((chunk) => Uint8Array.from(chunk)),
    )
  }

  abort(reason: Error): void {
    this.abortReason ??= reason
    this.#aborted.reject(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const header = protocolHeader(protocol)
const agreed = (rest = ''): Uint8Array => Buffer.concat([header, Buffer.from(rest)])
const refused = Buffer.from('\x13/multistream/1.0.0\n\x03na\n')
const neverReopened = (): Promise<ByteStream> => Promise.reject(new Error('It must not be opened again.'))

const early = (stream: ByteStream, reopen = neverReopened, timeoutMs = 10_000): EarlyByteStream =>
  new EarlyByteStream(stream, {
    peer: peerId,
    protocol,
    reopen,
    answerTimeout: () => AbortSignal.timeout(timeoutMs),
  })

describe('the header', () => {
  it('goes out with the first bytes, and the answer is stripped', async () => {
    const inner = new FakeStream(agreed('hi'))
    const stream = early(inner)
    await stream.write(Buffer.from('first'))
    expect(inner.text).toBe(`\x13/multistream/1.0.0\n\x0bTest.early\nfirst`)
    expect(Buffer.from(await stream.read(2)).toString()).toBe('hi')
    await stream.write(Buffer.from('second'))
    expect(inner.text.endsWith('firstsecond')).toBe(true)
  })

  it('goes out alone if the caller only reads: some handlers speak first', async () => {
    const inner = new FakeStream(agreed('hi'))
    expect(Buffer.from(await early(inner).read(2)).toString()).toBe('hi')
    expect(inner.text).toBe(Buffer.from(header).toString())
  })

  it('a refusal is an error of reads and of later writes', async () => {
    const stream = early(new FakeStream(refused, 'lost'))
    await stream.write(Buffer.from('x'))
    const refusal = { name: 'PeerUnreachableError', unsupportedProtocol: protocol }
    await expect(stream.read(1)).rejects.toMatchObject(refusal)
    await expect(stream.write(Buffer.from('y'))).rejects.toMatchObject(refusal)
  })

  it.each([
    ['another version', Buffer.from('\x13/multistream/2.0.0\n')],
    ['another protocol', Buffer.from('\x13/multistream/1.0.0\n\x0bTest.earlz\n')],
    ['garbage without end', randomBytes(1_000_000)],
    ['a line without end', Buffer.concat([refused.subarray(0, 20), Buffer.alloc(1_000_000, 0xff)])],
  ])('%s resets the stream', async (_what, answer) => {
    const inner = new FakeStream(answer)
    await expect(early(inner).read(1)).rejects.toThrow(ProtocolError)
    expect(inner.abortReason).toBeInstanceOf(ProtocolError)
  })
})

describe('a stream without an answer', () => {
  it.each([
    ['is reset', 'lost', 10_000],
    ['stays silent', 'silent', 20],
  ] as const)('that %s is opened again, with all that was written', async (_what, atEnd, timeoutMs) => {
    const [first, second] = [
      new FakeStream(header.subarray(0, 7), atEnd),
      new FakeStream(Buffer.from('answer')),
    ]
    const stream = early(first, () => Promise.resolve(second), timeoutMs)
    const buffer = Buffer.from('one ')
    await stream.write(buffer)
    buffer.fill(0) // the caller may reuse it
    await stream.write([Buffer.from('two '), Buffer.from('three')])
    expect(Buffer.from(await stream.read(6)).toString()).toBe('answer')
    expect(second.text).toBe('one two three')
    expect(first.abortReason).toBeDefined()
  })

  it('keeps a bounded number of bytes; further writes wait, in their order', async () => {
    const [first, second] = [
      new FakeStream(new Uint8Array(), 'silent'),
      new FakeStream(Buffer.from('answer')),
    ]
    const reopening = Promise.withResolvers<ByteStream>()
    const stream = early(first, () => reopening.promise, 20)
    await stream.write(Buffer.alloc(maxEarlyBytes, 'a'))
    const writes = Promise.all(['b', 'c', 'd'].map((text) => stream.write(Buffer.from(text))))
    await expect.poll(() => first.abortReason).toBeDefined()
    expect(first.text.endsWith('a')).toBe(true)
    reopening.resolve(second)
    await writes
    expect(second.text).toBe(`${'a'.repeat(maxEarlyBytes)}bcd`)
  })

  it('that can not be opened again fails with the reason', async () => {
    const reason = new ConnectionLostError('There is no way.')
    const stream = early(new FakeStream(new Uint8Array(), 'lost'), () => Promise.reject(reason))
    await expect(stream.read(1)).rejects.toBe(reason)
    await expect(stream.write(Buffer.from('x'))).rejects.toBe(reason)
  })

  it('abort ends reads, writes and the attempt to open it again', async () => {
    const reopened = new FakeStream(new Uint8Array())
    const reopening = Promise.withResolvers<ByteStream>()
    const stream = early(new FakeStream(new Uint8Array(), 'lost'), () => reopening.promise)
    const reading = stream.read(1)
    const reason = new Error('the user left')
    await new Promise((resolve) => setImmediate(resolve))
    stream.abort(reason)
    await expect(reading).rejects.toBe(reason)
    await expect(stream.write(Buffer.from('x'))).rejects.toBe(reason)
    reopening.resolve(reopened)
    await expect.poll(() => reopened.abortReason).toBe(reason)
  })

  it('abort before the first byte sends nothing', async () => {
    const inner = new FakeStream(new Uint8Array())
    early(inner).abort(new Error('the user left'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(inner.written).toEqual([])
  })
})

describe('over a link', () => {
  async function connect(): Promise<
    { peer: TestPeer; link: FaultyLink; client: SwarmTransport } & AsyncDisposable
  > {
    const resources = new AsyncDisposableStack()
    const peer = resources.use(await TestPeer.start())
    const link = resources.use(await FaultyLink.start(Number(/tcp\/(\d+)/.exec(peer.address)![1])))
    const client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
    await client.connect([peer.address.replace(/tcp\/\d+/, `tcp/${link.port}`)])
    return { peer, link, client, [Symbol.asyncDispose]: () => resources.disposeAsync() }
  }

  it('a call reaches its handler while nothing comes back: it takes one round trip', async () => {
    await using swarm = await connect()
    const received = Promise.withResolvers<string>()
    await swarm.peer.handle(protocol, async (stream) => {
      received.resolve(Buffer.from(await stream.read(14)).toString())
    })
    const text = { name: protocol, encodeRequest: Buffer.from, decodeResponse: String }
    swarm.link.state = { kind: 'half-open' }
    await using call = await createRpcClient(swarm.client).openStream(swarm.client.initialPeers[0]!, text)
    await call.send('hello')
    expect((await received.promise).endsWith('hello')).toBe(true)
  })

  it('what was written to a dead connection arrives over a new one', async () => {
    await using swarm = await connect()
    const sent = randomBytes(600_000)
    await swarm.peer.handle(protocol, async (stream) => stream.write(await stream.read(sent.byteLength)))
    swarm.link.state = { kind: 'blackhole' }
    await using stream = await swarm.client.openStream(swarm.peer.id, protocol, { timeoutMs: 4000 })
    const writing = Promise.all(
      [0, 1, 2].map((i) => stream.write(sent.subarray(i * 200_000, (i + 1) * 200_000))),
    )
    const reading = stream.read(sent.byteLength)
    await expect.poll(() => swarm.link.droppedBytes).toBeGreaterThan(200_000)
    swarm.link.state = { kind: 'open' }
    await writing
    expect(Buffer.compare(await reading, sent)).toBe(0)
  })
})
