import type { PeerId } from '../p2p/peer-id.ts'
import type { SpanIndex } from './span-index.ts'

/**
 * Returns the round trip from this client to each server in seconds, by slot: as measured, or else as the triangle inequality
 * leaves it between servers that were measured and announce their round trip to it, or it to them. NaN if nothing is known;
 * Infinity for servers that don't answer. One measurement tells of a dozen servers this way, without a connection to them.
 */
export function roundTripsBySlot(index: SpanIndex, measured: ReadonlyMap<PeerId, number>): Float64Array {
  const count = index.spans.length
  const known = new Float64Array(count).fill(NaN)
  for (const [peer, seconds] of measured) index.forSlotsOf(peer, (slot) => (known[slot] = seconds))
  const bounds = new Bounds(count)
  const { offsets, values } = index.pinged
  for (let slot = 0; slot < count; slot++) {
    for (let at = offsets[slot]!; at < offsets[slot + 1]!; at++) {
      const other = values[at]!
      bounds.note(other, known[slot]!, index.pings[at]!)
      bounds.note(slot, known[other]!, index.pings[at]!)
    }
  }
  return known.map((seconds, slot) => (Number.isNaN(seconds) ? bounds.middle(slot) : seconds))
}

/** What the triangle inequality says of each server's distance. */
class Bounds {
  readonly #most: Float64Array
  readonly #least: Float64Array

  constructor(count: number) {
    this.#most = new Float64Array(count).fill(Infinity)
    this.#least = new Float64Array(count)
  }

  /** Notes that a server which is `known` seconds away is `apart` seconds away from this one. */
  note(slot: number, known: number, apart: number): void {
    if (!(known + apart < Infinity)) return
    this.#most[slot] = Math.min(this.#most[slot]!, known + apart)
    this.#least[slot] = Math.max(this.#least[slot]!, Math.abs(known - apart))
  }

  middle(slot: number): number {
    const most = this.#most[slot]!
    return most === Infinity ? NaN : (most + Math.min(most, this.#least[slot]!)) / 2
  }
}
