/** A run of cells in one block's KV cache. */
export interface Extent {
  start: number
  readonly length: number
}

/** Places runs of cells in the KV cache of one block: first fit, and moved together when the free cells are scattered. */
export class Extents {
  readonly #cells: number
  /** In the order of their starts. */
  readonly #used: Extent[] = []

  constructor(cells: number) {
    this.#cells = cells
  }

  get free(): number {
    return this.#used.reduce((left, { length }) => left - length, this.#cells)
  }

  /**
   * Takes a run of cells.
   * @param move copies cells to a lower place, where they may overlap
   * @throws Error if there are too few free cells
   */
  take(length: number, move: (from: number, to: number, length: number) => void): Extent {
    const found = this.#findGap(length) ?? this.#makeGap(length, move)
    const extent = { start: found.start, length }
    this.#used.splice(found.index, 0, extent)
    return extent
  }

  release(extent: Extent): void {
    const index = this.#used.indexOf(extent)
    if (index >= 0) this.#used.splice(index, 1)
  }

  #findGap(length: number): { readonly start: number; readonly index: number } | undefined {
    let start = 0
    for (const [index, extent] of this.#used.entries()) {
      if (extent.start - start >= length) return { start, index }
      start = extent.start + extent.length
    }
    return this.#cells - start >= length ? { start, index: this.#used.length } : undefined
  }

  #makeGap(length: number, move: (from: number, to: number, length: number) => void) {
    let start = 0
    for (const extent of this.#used) {
      if (extent.start > start) move(extent.start, start, extent.length)
      extent.start = start
      start += extent.length
    }
    if (this.#cells - start < length)
      throw new Error(`The KV cache has ${this.#cells - start} free cells, not ${length}.`)
    return { start, index: this.#used.length }
  }
}
