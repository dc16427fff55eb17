/** Samples that count: the latest ones, of as many nodes. */
const maxSamples = 15

/** The swarm's time, by what its nodes say: expirations are judged by it, and this machine's clock may be wrong. */
export class SwarmClock {
  readonly #wallClock: () => number
  readonly #offsets = new Map<string, number>()

  /** `wallClock` gives Unix seconds. */
  constructor(wallClock: () => number = () => Date.now() / 1000) {
    this.#wallClock = wallClock
  }

  /** A node said `dhtTime` somewhere between `sentAt` and `receivedAt` (of the wall clock, seconds). */
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

  /** The median: a few nodes that lie don't move it. Of two that disagree, the one nearer to this machine's clock. */
  #offset(): number {
    const offsets = [...this.#offsets.values()].sort((a, b) => a - b)
    if (offsets.length === 0) return 0
    const upper = offsets[Math.floor(offsets.length / 2)]!
    const lower = offsets[Math.floor((offsets.length - 1) / 2)]!
    return Math.abs(lower) < Math.abs(upper) ? lower : upper
  }
}
