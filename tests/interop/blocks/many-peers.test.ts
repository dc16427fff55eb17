import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { usualTimes } from '../../../packages/blocks/src/engine/cache-admission.ts'
import { tinyRequests as requests } from '../../../packages/blocks/src/testing/hostile-peer.ts'
import { HonestSession } from '../../../packages/blocks/src/testing/honest-session.ts'
import { ServerProcess } from '../../../packages/blocks/src/testing/server-process.ts'
import { SessionClient, type SessionStream } from '../../../packages/blocks/src/testing/session-client.ts'
import { Stepping } from '../../../packages/blocks/src/testing/stepping.ts'

// Peers whose ids cost nothing fill the KV cache of a server together, each with little. They come from ::1, an honest client
// from 127.0.0.1: two origins.

const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
)
const [cacheTokens, sessionTokens, peerCount] = [2048, 64, 16]
const loopback = { ip4: '/ip4/127.0.0.1/tcp/0', ip6: '/ip6/::1/tcp/0' }

/** A peer that opens sessions, and keeps them in use by a step now and then. */
class FillingPeer implements AsyncDisposable {
  readonly #client: SessionClient
  readonly #streams: SessionStream[] = []
  readonly #over = new AbortController()

  private constructor(client: SessionClient) {
    this.#client = client
  }

  static async connect(addresses: readonly string[]): Promise<FillingPeer> {
    return new FillingPeer(await SessionClient.connect(addresses))
  }

  /** Returns whether there was room. */
  async open(): Promise<boolean> {
    const stream = await this.#client.open()
    try {
      await stream.send(requests.of({ max_length: sessionTokens }))
      await stream.receive()
    } catch {
      return false
    }
    this.#streams.push(stream)
    return true
  }

  async keepInUse(): Promise<void> {
    const step = requests.of({ start_from_position: 0 })
    while (!this.#over.signal.aborted) {
      for (const stream of this.#streams)
        await stream
          .send(step)
          .then(() => stream.receive())
          .catch(() => {}) // it was ended
      await delay(100)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort()
    await this.#client[Symbol.asyncDispose]()
  }
}

describe.runIf(hasIPv6)('a server whose KV cache many peers of one address keep full', () => {
  it('serves an honest session on, and takes new ones of another address at once', async () => {
    await using server = await ServerProcess.start({ cacheTokens, listen: Object.values(loopback) })
    const { addresses } = await server.report()
    const of = (kind: keyof typeof loopback) => addresses.filter((each) => each.startsWith(`/${kind}/`))
    await using client = await SessionClient.connect(of('ip4'))
    await using honest = await HonestSession.open(client, usualTimes.idleMs)
    const stepping = new Stepping(honest)
    await using peers = new AsyncDisposableStack()
    const hostile: FillingPeer[] = []
    for (let index = 0; index < peerCount; index++)
      hostile.push(peers.use(await FillingPeer.connect(of('ip6'))))
    let isFull = false
    while (!isFull) isFull = (await Promise.all(hostile.map((peer) => peer.open()))).includes(false)
    for (const peer of hostile) void peer.keepInUse()
    const { load } = await server.report()
    expect(load.cacheTokensLeft).toBeLessThan(sessionTokens)

    const before = honest.steps
    // Without `alloc_timeout`: a client of Petals sends none.
    for (let count = 0; count < 3; count++) await honest.openAnother(client, 0)
    await expect.poll(() => honest.steps).toBeGreaterThan(before + 20)
    await stepping.end()
  }, 240_000)
})
