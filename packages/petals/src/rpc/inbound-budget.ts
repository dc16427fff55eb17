import type { PeerId } from '../p2p/peer-id.ts'
import { PeerShares } from './peer-shares.ts'
import { ServedError } from './remote-errors.ts'
import { within } from './within.ts'

/** Waits for memory for a message of a peer, and returns a function that gives it back. */
export type Reserve = (peer: PeerId, bytes: number, signal?: AbortSignal) => Promise<() => void>

/** A part of a message that waits longer than this for memory fails: messages whose parts wait for each other must not block the server. */
const mostWaitMs = 20_000

/**
 * The memory that messages of peers may take together. A message waits until there is room; the peer feels that as back-pressure.
 * A peer may have as much as it leaves free: alone it gets a half, beside another one a third. So some memory is always left for
 * a peer that has little, however many others hold what they were given.
 */
export class InboundBudget {
  readonly #memory: PeerShares
  readonly #announced: PeerShares
  readonly #mostWaitMs: number

  /** @param total bytes */
  constructor(total: number, waitMs = mostWaitMs) {
    this.#memory = new PeerShares(({ used, usedByAll, amount }) => used + usedByAll + 2 * amount <= total)
    this.#announced = new PeerShares(({ used, amount }) => used + amount <= longestMessage(total))
    this.#mostWaitMs = waitMs
  }

  get usedBytes(): number {
    return this.#memory.usedByAll
  }

  /** Takes memory. @throws ServedError if there is none for too long, the reason of the signal */
  readonly reserve: Reserve = (peer, bytes, signal) =>
    within(this.#mostWaitMs, { signal, late: busy }, (ends) => this.#memory.take(peer, bytes, ends))

  /**
   * Waits until a message of this length may be received. Messages of one peer that are longer together than its share could all
   * begin, and none would end.
   */
  readonly announce: Reserve = (peer, bytes, signal) => this.#announced.take(peer, bytes, signal)
}

const busy = (): ServedError =>
  new ServedError('RuntimeError', 'The server is busy: it has no memory for the request. Try again later.')

/** The longest message that can ever be received with so much memory. */
export const longestMessage = (total: number): number => Math.floor(total / 2)
