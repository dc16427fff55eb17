import type { Backend } from '@petals-chat/ggml/native'
import type { LoadedBlocks } from '../graph/step-graph.ts'
import { kvSize } from '../model/block-shape.ts'
import { cellsOf } from '../model/cells.ts'
import type { CacheSize } from '../protocol.ts'
import { Extents, type Extent } from './extents.ts'

/** The places of one sequence's keys and values: an extent in each block of its session. */
export interface CacheRow {
  extents: readonly Extent[]
  /** Cells that were ever written: they are cleared before another session gets them. */
  written: number
}

/** The keys and values of one session. */
export interface SessionCache extends CacheSize {
  readonly id: number
  rows: CacheRow[]
  /** Changes whenever its rows have other places. */
  version: number
}

/** The KV caches of all sessions, in one memory. Nothing may be computed while a method runs. */
export class KvPool {
  readonly #backend: Backend
  readonly #loaded: LoadedBlocks
  readonly #extents: readonly Extents[]
  readonly #caches = new Map<number, SessionCache>()
  #scratch = new Uint8Array(0)

  constructor(backend: Backend, loaded: LoadedBlocks, cells: number) {
    this.#backend = backend
    this.#loaded = loaded
    this.#extents = loaded.blocks.map(() => new Extents(cells))
  }

  /** @throws Error if the cache is not open */
  get(id: number): SessionCache {
    const cache = this.#caches.get(id)
    if (!cache) throw new Error('The KV cache is closed.')
    return cache
  }

  /** @throws Error if there are too few free cells */
  open(id: number, size: CacheSize): SessionCache {
    const length = cellsOf(size.maxLength)
    const needed = length * size.batch
    if (this.#extents.slice(size.from, size.to).some(({ free }) => free < needed))
      throw new Error('The KV cache is full.')
    const rows = Array.from({ length: size.batch }, () => this.#takeRow(size, length))
    const cache = { id, ...size, rows, version: 0 }
    this.#caches.set(id, cache)
    return cache
  }

  close(id: number): void {
    const cache = this.#caches.get(id)
    if (!cache) return
    this.#caches.delete(id)
    for (const row of cache.rows) {
      // NaN of one session must not reach another one through masked cells.
      this.#clear(cache, row)
      for (const [index, extent] of row.extents.entries()) this.#extents[cache.from + index]!.release(extent)
    }
  }

  /** Row i takes the first `length` cells of row `sources[i]`. */
  reorder(cache: SessionCache, sources: readonly number[], length: number): void {
    if (sources.every((source, row) => source === row)) return
    const before = cache.rows
    const after = new Array<CacheRow>(before.length)
    // A row that is used once only changes its number; spare rows take the copies.
    const taken = new Set<number>()
    for (const [row, source] of sources.entries()) {
      if (taken.has(source)) continue
      taken.add(source)
      after[row] = before[source]!
    }
    const spare = before.filter((_, row) => !taken.has(row))
    for (const [row, source] of sources.entries()) {
      if (after[row]) continue
      const copy = spare.pop()!
      this.#copy(cache, before[source]!, copy, length)
      after[row] = copy
    }
    cache.rows = after
    cache.version++
  }

  #takeRow(size: CacheSize, length: number): CacheRow {
    const extents: Extent[] = []
    for (let block = size.from; block < size.to; block++) {
      const move = (from: number, to: number, count: number) => this.#move(block, from, to, count)
      extents.push(this.#extents[block]!.take(length, move))
    }
    return { extents, written: 0 }
  }

  #cellBytes(): number {
    return kvSize(this.#loaded.shape) * this.#loaded.cacheElementBytes
  }

  #move(block: number, from: number, to: number, count: number): void {
    for (const cache of this.#caches.values()) cache.version++
    this.#copyCells(block, from, to, count)
  }

  #copy(cache: SessionCache, source: CacheRow, target: CacheRow, length: number): void {
    for (let index = 0; index < cache.to - cache.from; index++)
      this.#copyCells(cache.from + index, source.extents[index]!.start, target.extents[index]!.start, length)
    target.written = Math.max(target.written, length)
  }

  #copyCells(block: number, from: number, to: number, count: number): void {
    const { ggml } = this.#backend
    const cellBytes = this.#cellBytes()
    const bytes = count * cellBytes
    if (bytes === 0) return
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(bytes)
    const { keys, values } = this.#loaded.blocks[block]!
    for (const tensor of [keys, values]) {
      ggml.backend_tensor_get(tensor, this.#scratch, from * cellBytes, bytes)
      ggml.backend_tensor_set(tensor, this.#scratch, to * cellBytes, bytes)
    }
  }

  #clear(cache: SessionCache, { extents, written }: CacheRow): void {
    if (written === 0) return
    const { ggml } = this.#backend
    const cellBytes = this.#cellBytes()
    for (const [index, { start }] of extents.entries()) {
      const { keys, values } = this.#loaded.blocks[cache.from + index]!
      for (const tensor of [keys, values])
        ggml.backend_tensor_memset(tensor, 0, start * cellBytes, written * cellBytes)
    }
  }
}
