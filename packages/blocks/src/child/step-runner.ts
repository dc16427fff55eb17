import type { Backend } from '@petals-chat/ggml/native'
import type { GraphRow, LoadedBlocks, StepGraph, StepInputs } from '../graph/step-graph.ts'
import { cellStep } from '../model/cells.ts'
import type { ThreadRange, Threads } from '../protocol.ts'
import { wouldShareCores } from './busy-cores.ts'
import { GraphCache } from './graph-cache.ts'
import type { SessionCache } from './kv-pool.ts'
import { startTimer } from './step-time.ts'
import { StepWatch } from './step-watch.ts'
import { ThreadChooser, type StepTime, type StepWork, type ThreadChoice } from './thread-chooser.ts'

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

interface Attempt {
  readonly work: StepWork
  readonly choice: ThreadChoice
  readonly backend: Backend
}

/** Lengths that graphs read are multiples of it, so that a graph serves this many steps. */
const lengthStep = 2 * cellStep

/** From this many tokens on, a step computes with the threads of long ones. */
const prefillTokens = 16

const oneThread = { usual: 1, most: 1 }

/** Computes steps of any sessions, one at a time, with as many threads as are of use at the moment. */
export class StepRunner implements Disposable {
  readonly #backends: Readonly<Record<keyof Threads, Backend>>
  readonly #graphs: GraphCache
  readonly #loaded: LoadedBlocks
  readonly #watch = new StepWatch()
  #choosers = choosersFor({ decode: oneThread, prefill: oneThread })
  readonly #threadsInUse = new Map<Backend, number>()

  /**
   * It computes with one thread until `setThreads` allows more.
   * @param longSteps what computes steps of many tokens, in the same memory
   */
  constructor(backend: Backend, loaded: LoadedBlocks, longSteps = backend) {
    this.#backends = { decode: backend, prefill: longSteps }
    this.#loaded = loaded
    this.#graphs = new GraphCache(backend, loaded)
  }

  get hiddenSize(): number {
    return this.#loaded.shape.hiddenSize
  }

  /** Threads that most long steps use at present. */
  get prefillThreads(): number {
    return this.#choosers.prefill.present
  }

  get computeBytes(): number {
    return this.#graphs.bytes
  }

  setThreads(threads: Threads): void {
    this.#choosers = choosersFor(threads)
  }

  /** The limit in milliseconds that the present step has exceeded by far; undefined if none hangs. */
  overdueMs(): number | undefined {
    return this.#watch.overdueMs()
  }

  /** Computes a step; the outputs have the shape of the states. @throws Error if llama.cpp can't */
  async run({ from, to, items, states, prompts }: StepRun): Promise<Float32Array> {
    const tokens = states.length / this.hiddenSize
    const rows = items.flatMap((item) => rowsOf(item, from, to))
    const key = `${from}:${to}${prompts ? '+' : ''} ${rows.map(({ key }) => key).join(' ')}`
    const graph = this.#graphs.get(key, { from, to, rows, hasPrompts: prompts !== undefined })
    const inputs = { states, positions: rows.map(({ position }) => position), prompts }
    const cells = rows.reduce((sum, { kvLength }) => sum + kvLength, 0)
    return await this.#compute(graph, inputs, { tokens, blocks: to - from, cells })
  }

  [Symbol.dispose](): void {
    this.#graphs[Symbol.dispose]()
  }

  /** A step that was stopped writes the same keys and values again when it is computed anew. */
  async #compute(graph: StepGraph, inputs: StepInputs, work: StepWork): Promise<Float32Array> {
    const kind = work.tokens < prefillTokens ? 'decode' : 'prefill'
    const chooser = this.#choosers[kind]
    for (;;) {
      const choice = chooser.choose(work)
      const attempt = { work, choice, backend: this.#backends[kind] }
      const { outputs, time } = await this.#attempt(graph, inputs, attempt)
      chooser.report(work, choice, time)
      if (outputs) return outputs
    }
  }

  async #attempt(
    graph: StepGraph,
    inputs: StepInputs,
    { work, choice: { threads, limitMs }, backend }: Attempt,
  ): Promise<{ readonly outputs: Float32Array | undefined; readonly time: StepTime }> {
    this.#useThreads(backend, threads)
    const elapsed = startTimer(threads)
    const options = { backend, limitMs }
    const outputs = await this.#watch.timed({ ...work, threads }, () => graph.run(inputs, options))
    return { outputs, time: { ...elapsed(), isStopped: outputs === undefined } }
  }

  #useThreads(backend: Backend, threads: number): void {
    if (threads === this.#threadsInUse.get(backend)) return
    backend.setThreads(threads)
    this.#threadsInUse.set(backend, threads)
  }
}

function choosersFor({ decode, prefill }: Threads): Readonly<Record<keyof Threads, ThreadChooser>> {
  const chooserFor = (range: ThreadRange): ThreadChooser =>
    new ThreadChooser(range, { isBusy: () => wouldShareCores(range.most) })
  return { decode: chooserFor(decode), prefill: chooserFor(prefill) }
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
