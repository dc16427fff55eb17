/** The clock uses the latest sample of this many nodes. */
const maxSamples = 15

/** The swarm's time, as its nodes tell it. Expirations depend on it, and this machine's clock may be wrong. */
export class SwarmClock {
  readonly #wallClock: () => number
  readonly #offsets = new Map<string, number>()

  /** @param wallClock returns Unix seconds */
  constructor(wallClock: () => number = () => Date.now() / 1000) {
    this.#wallClock = wallClock
  }

  /** Adds the time that a node reported somewhere between `sentAt` and `receivedAt` (wall clock, Unix seconds). */
  addSample(node: string, dhtTime: number, sentAt: number, receivedAt: number): void {
    if (!Number.isFinite(dhtTime) || dhtTime <= 0) return
    this.#offsets.delete(node)
    this.#offsets.set(node, dhtTime - (sentAt + receivedAt) / 2)
    const [oldest] = this.#offsets.keys()
    if (this.#offsets.size > maxSamples && oldest !== undefined) this.#offsets.delete(oldest)
  }

  wallTime(): number {
    return this.#wallClock()
  }

  now(): number {
    return this.#wallClock() + this.#offset()
  }

  /** Returns the median, which a few lying nodes don't move. Of two middle values it takes the one nearer to this machine's clock. */
  #offset(): number {
    const offsets = [...this.#offsets.values()].sort((a, b) => a - b)
    if (offsets.length === 0) return 0
    const upper = offsets[Math.floor(offsets.length / 2)]!
    const lower = offsets[Math.floor((offsets.length - 1) / 2)]!
    return Math.abs(lower) < Math.abs(upper) ? lower : upper
  }
}
