import { setTimeout as delay } from 'node:timers/promises'
import type { AbortOptions } from '@petals-chat/engine'
import { rangeLength, type BlockDirectory, type BlockRange, type PeerId } from '@petals-chat/petals/protocol'
import { chooseBestBlocks, shouldChooseOtherBlocks, type RatedSpan } from '../selection/choose-blocks.ts'
import type { BalanceTimes } from './options.ts'

/** Checks in a row that must agree: a server that is only late with its announcement must not make others move. */
const agreeingChecks = 2

/** Decides which blocks a server holds, if that is left to it. */
export class Placement {
  readonly #directory: BlockDirectory
  readonly #peer: PeerId
  readonly #times: BalanceTimes
  #agreed = 0

  constructor(directory: BlockDirectory, peer: PeerId, times: BalanceTimes) {
    this.#directory = directory
    this.#peer = peer
    this.#times = times
  }

  /** Returns the blocks that the swarm needs most. @throws PeerUnreachableError */
  async choose(count: number, { signal }: AbortOptions): Promise<BlockRange> {
    await delay(Math.random() * 2 * this.#times.delayMs, undefined, { ...(signal ? { signal } : {}) })
    await this.#directory.refresh({ signal })
    const others = this.#spans().filter(({ peer }) => peer !== this.#peer)
    return chooseBestBlocks(count, others, this.#directory.numBlocks)
  }

  /** Waits until the swarm needs other blocks more. Rejects with the reason of the signal. */
  async untilElsewhereNeeded(own: BlockRange, throughput: number, signal: AbortSignal): Promise<void> {
    this.#agreed = 0
    await delay(this.#times.stayMs, undefined, { signal })
    while (this.#agreed < agreeingChecks) {
      await delay(Math.random() * 2 * this.#times.checkMs, undefined, { signal })
      const isNeeded = await this.#isNeededElsewhere(own, throughput, signal)
      this.#agreed = isNeeded ? this.#agreed + 1 : 0
    }
  }

  async #isNeededElsewhere(own: BlockRange, throughput: number, signal: AbortSignal): Promise<boolean> {
    if (rangeLength(own) === this.#directory.numBlocks) return false
    try {
      await this.#directory.refresh({ signal })
    } catch {
      signal.throwIfAborted()
      return false // the swarm can't be seen now
    }
    const others = this.#spans().filter(({ peer }) => peer !== this.#peer)
    const spans = [...others, { ...own, peer: this.#peer, throughput }]
    const { numBlocks: totalBlocks } = this.#directory
    return shouldChooseOtherBlocks(this.#peer, spans, { totalBlocks, balanceQuality: this.#times.quality })
  }

  /** Servers that load blocks count like those that serve them. */
  #spans(): readonly RatedSpan[] {
    return this.#directory
      .snapshot()
      .spans.filter(({ server }) => server.state !== 'offline')
      .map(({ peer, start, end, server }) => ({ peer, start, end, throughput: server.throughput }))
  }
}
