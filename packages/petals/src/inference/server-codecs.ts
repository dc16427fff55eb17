import type { PeerId } from '../p2p/peer-id.ts'

/** Servers that are remembered, at most. */
const maxServers = 1024

/** How servers compress their outputs. They don't announce it, but each of their answers says it. */
export class ServerCodecs {
  readonly #codecs = new Map<PeerId, number>()

  /** Returns the compression of the server's latest answer, by its number in hivemind; 0 (none) before the first. */
  of(peer: PeerId): number {
    return this.#codecs.get(peer) ?? 0
  }

  note(peer: PeerId, compression: number): void {
    if (this.of(peer) === compression) return
    this.#codecs.delete(peer)
    this.#codecs.set(peer, compression)
    const [oldest] = this.#codecs.keys()
    if (this.#codecs.size > maxServers && oldest !== undefined) this.#codecs.delete(oldest)
  }
}
