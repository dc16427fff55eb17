import { describe, expect, it } from 'vitest'
import type { StreamHandler } from '../p2p/listening/listening-transport.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { ByteStream } from '../p2p/swarm-transport.ts'
import { UnreadChunks } from '../p2p/unread-chunks.ts'
import { encodeFrameHeader, markers } from './framing.ts'
import { InboundBudget } from './inbound-budget.ts'
import { serveStream, type Received, type ServedCall } from './serve-stream.ts'

const remote = 'caller' as PeerId

/** A stream whose bytes the test sends. */
class FakeStream implements ByteStream {
  readonly #unread = new UnreadChunks()
  #arrived = Promise.withResolvers<void>()

  send(bytes: Uint8Array): void {
    this.#unread.append(bytes)
    this.#arrived.resolve()
    this.#arrived = Promise.withResolvers()
  }

  async read(byteLength: number, { signal }: { readonly signal?: AbortSignal | undefined } = {}) {
    const aborted = Promise.withResolvers<never>()
    aborted.promise.catch(() => {})
    signal?.addEventListener('abort', () => aborted.reject(signal.reason as Error))
    while (this.#unread.byteLength < byteLength) {
      signal?.throwIfAborted()
      await Promise.race([this.#arrived.promise, aborted.promise])
    }
    const target = new Uint8Array(byteLength)
    this.#unread.drainInto(target)
    return target
  }

  async write(): Promise<void> {}
  abort(): void {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Serves one call, and returns its stream and what ends it. */
async function serve(budget: InboundBudget, handler: (call: ServedCall) => Promise<void>) {
  const served = Promise.withResolvers<StreamHandler>()
  const server = { handle: async (_: string, handle: StreamHandler) => served.resolve(handle) }
  await serveStream(server, 'Test.stream', { maxMessageBytes: 2 ** 30, budget }, handler)
  const [stream, closing] = [new FakeStream(), new AbortController()]
  const handle = await served.promise
  const done = handle(stream, remote, closing.signal)
  done.catch(() => {})
  return { stream, close: () => closing.abort(new Error('closed')), done }
}

const announce = (length: number): Uint8Array => encodeFrameHeader({ marker: markers.message, length })

describe('a message of a caller', () => {
  it('takes at most twice the memory of what has arrived, and arrives unchanged', async () => {
    const budget = new InboundBudget(64e6)
    const received = Promise.withResolvers<Received | undefined>()
    const { stream } = await serve(budget, async (call) => received.resolve(await call.next()))
    const bytes = Uint8Array.from({ length: 5_000_000 }, (_, index) => index * 7)
    stream.send(announce(bytes.length))
    for (let sent = 0; sent < bytes.length; sent += 100_000) {
      stream.send(bytes.subarray(sent, sent + 100_000))
      await new Promise(setImmediate)
      expect(budget.usedBytes).toBeLessThanOrEqual(Math.max(16_384, 2 * (sent + 100_000)))
    }
    const message = (await received.promise)!
    expect(Buffer.compare(message.payload, bytes)).toBe(0)
    expect(budget.usedBytes).toBe(bytes.length)
    message.release()
    expect(budget.usedBytes).toBe(0)
  })

  it('lets go of its memory when the caller leaves, also while it waits for more', async () => {
    const budget = new InboundBudget(1e6)
    const { stream, close, done } = await serve(budget, async (call) => void (await call.next()))
    stream.send(announce(400_000))
    stream.send(new Uint8Array(200_000))
    await expect.poll(() => budget.usedBytes).toBeGreaterThan(200_000)
    const others = await budget.reserve('other' as PeerId, 300_000)
    stream.send(new Uint8Array(100_000))
    close()
    await done.catch(() => {})
    expect(budget.usedBytes).toBe(300_000)
    others()
  })

  it('that does not begin in time is the end of input; one that has begun is waited for', async () => {
    const budget = new InboundBudget(1e6)
    const answers: (number | undefined)[] = []
    const { stream, done } = await serve(budget, async (call) => {
      for (let index = 0; index < 2; index++)
        answers.push((await call.next({ startMs: 100 }))?.payload.byteLength)
    })
    stream.send(announce(10))
    await new Promise((resolve) => setTimeout(resolve, 200))
    stream.send(new Uint8Array(10))
    await done
    expect(answers).toEqual([10, undefined])
  })
})
