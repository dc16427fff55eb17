import type { Backend } from '../graph/backend.ts'
import type { GraphRow, LoadedBlocks } from '../graph/step-graph.ts'
import { cellStep } from '../model/cells.ts'
import type { Threads } from '../protocol.ts'
import { GraphCache } from './graph-cache.ts'
import type { SessionCache } from './kv-pool.ts'

/** Tokens of some rows of a session, from `position` on. */
export interface StepItem {
  readonly cache: SessionCache
  readonly rowFrom: number
  readonly rowTo: number
  readonly position: number
  readonly count: number
}

export interface StepRun {
  readonly from: number
  readonly to: number
  readonly items: readonly StepItem[]
  /** `[tokens of all items, hidden]`. */
  readonly states: Float32Array
  /** `[blocks, tokens, hidden]`, added to the input of each block. */
  readonly prompts?: Float32Array | undefined
}

/** Lengths that graphs read are multiples of it, so that a graph serves this many steps. */
const lengthStep = 2 * cellStep

/** From this many tokens on, a step computes with the threads of long ones. */
const prefillTokens = 16

/** Computes steps of any sessions, one at a time. */
export class StepRunner implements Disposable {
  readonly #backend: Backend
  readonly #graphs: GraphCache
  readonly #loaded: LoadedBlocks
  #threads: Threads
  #threadsInUse = 0

  constructor(backend: Backend, loaded: LoadedBlocks, threads: Threads) {
    this.#backend = backend
    this.#loaded = loaded
    this.#graphs = new GraphCache(backend, loaded)
    this.#threads = threads
  }

  get hiddenSize(): number {
    return this.#loaded.shape.hiddenSize
  }

  /** Threads of a long step. */
  get prefillThreads(): number {
    return this.#threads.prefill
  }

  /** Threads of a step of so many tokens. */
  threadsOf(tokens: number): number {
    return tokens < prefillTokens ? this.#threads.decode : this.#threads.prefill
  }

  get computeBytes(): number {
    return this.#graphs.bytes
  }

  setThreads(threads: Threads): void {
    this.#threads = threads
  }

  /** Computes a step; the outputs have the shape of the states. @throws Error if llama.cpp can't */
  async run({ from, to, items, states, prompts }: StepRun): Promise<Float32Array> {
    this.#useThreads(states.length / this.hiddenSize)
    const rows = items.flatMap((item) => rowsOf(item, from, to))
    const key = `${from}:${to}${prompts ? '+' : ''} ${rows.map(({ key }) => key).join(' ')}`
    const graph = this.#graphs.get(key, { from, to, rows, hasPrompts: prompts !== undefined })
    return await graph.run({ states, positions: rows.map(({ position }) => position), prompts })
  }

  [Symbol.dispose](): void {
    this.#graphs[Symbol.dispose]()
  }

  #useThreads(tokens: number): void {
    const threads = this.threadsOf(tokens)
    if (threads === this.#threadsInUse) return
    this.#backend.setThreads(threads)
    this.#threadsInUse = threads
  }
}

interface PlacedRow extends GraphRow {
  readonly key: string
  readonly position: number
}

function rowsOf(item: StepItem, from: number, to: number): readonly PlacedRow[] {
  const { cache, rowFrom, rowTo, position, count } = item
  return cache.rows.slice(rowFrom, rowTo).map((row, index) => {
    const end = position + count
    row.written = Math.max(row.written, end)
    const extents = row.extents.slice(from - cache.from, to - cache.from)
    const kvLength = Math.min(Math.ceil(end / lengthStep) * lengthStep, extents[0]!.length)
    const key = `${cache.id}.${cache.version}.${rowFrom + index}:${count}/${kvLength}`
    return { count, kvLength, position, starts: extents.map(({ start }) => start), key }
  })
}
