import process from 'node:process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TokenId } from '@petals-chat/engine'
import type { NativeContext } from './native.ts'
import { planBatch, type Part } from './plan-batch.ts'
import type { TokenChoice } from '../protocol.ts'
import type { Sequence } from './sequence.ts'
import type { ThreadGovernor } from './thread-governor.ts'

/** Whom a choice of tokens is made for. */
export interface WorkOwner {
  readonly request: number
  readonly hasGrammar: boolean
}

export interface Work {
  readonly sequence: Sequence
  /** Named where choosing takes too long; left out for work without choices. */
  readonly owner?: WorkOwner | undefined
  readonly tokens: readonly TokenId[]
  /** For which tokens the logits behind them are wanted. */
  readonly logits: 'none' | 'last' | 'all'
  /** Called before the next step, which overwrites the logits. `index` is the token's place in `tokens`. */
  readonly onLogits?: (batchIndex: number, index: number) => Promise<void>
  readonly signal: AbortSignal
}

interface QueuedWork extends Work {
  /** Tokens that are computed. */
  done: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export interface BatchSchedulerOptions {
  readonly context: NativeContext
  readonly governor: ThreadGovernor
  /** Tokens per step at most. */
  readonly batchSize: number
  /** Called when a step has begun to compute: the time to do what need not be waited for. */
  readonly onDispatch: () => void
}

/**
 * Computes the tokens of all sessions together, step by step: whoever waits for a next token gets one in each step, and
 * prompts share what room is left. Steps are kept short, so that an abort is heard and nobody waits behind a long prompt.
 */
export class BatchScheduler {
  readonly #options: BatchSchedulerOptions
  #works: QueuedWork[] = []
  readonly #exclusive: Array<() => Promise<void>> = []
  #running = false
  #stepStartedAt: number | undefined
  readonly #choices = new Map<WorkOwner, Stopwatch>()
  #exclusiveWasLast = false

  constructor(options: BatchSchedulerOptions) {
    this.#options = options
  }

  /** How long the current step has been computing, or the longest choice has taken, in milliseconds; 0 between steps. */
  get stepMs(): number {
    const started = [...this.#choices.values()].map(({ startedAt }) => startedAt)
    if (this.#stepStartedAt !== undefined) started.push(this.#stepStartedAt)
    return started.length === 0 ? 0 : performance.now() - Math.min(...started)
  }

  /** The choice that has computed longest; before others that of a grammar, which is the one that can take for ever. */
  get choice(): TokenChoice | undefined {
    return Array.from(this.#choices, ([owner, { computedMs }]) => ({ ...owner, ms: computedMs })).sort(
      (a, b) => Number(b.hasGrammar) - Number(a.hasGrammar) || b.ms - a.ms,
    )[0]
  }

  /** Resolves when all tokens are in the sequence's KV cache. Rejects with the signal's reason within one step. */
  evaluate(work: Work): Promise<void> {
    if (work.tokens.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#works.push({ ...work, done: 0, resolve, reject })
      this.#start()
    })
  }

  /** Runs something else that computes, between two steps: both at once would fight for the cores. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#exclusive.push(() => this.#timed(() => task().then(resolve, reject)))
      this.#start()
    })
  }

  #start(): void {
    if (this.#running) return
    this.#running = true
    void this.#run()
  }

  async #run(): Promise<void> {
    for (;;) {
      // Lets everybody who got a token ask for the next one, and messages (stop!) in.
      await nextTurn()
      this.#dropAborted()
      const task = this.#nextExclusive()
      if (task) await task()
      else if (this.#works.length > 0) await this.#step()
      else break
    }
    this.#running = false
    this.#options.onDispatch()
  }

  /** In turns with steps: hundreds of texts to embed must not hold up answers, nor the other way round. */
  #nextExclusive(): (() => Promise<void>) | undefined {
    const isTurn = !this.#exclusiveWasLast || this.#works.length === 0
    const task = isTurn ? this.#exclusive.shift() : undefined
    this.#exclusiveWasLast = task !== undefined
    return task
  }

  #dropAborted(): void {
    const aborted = this.#works.filter(({ signal }) => signal.aborted)
    if (aborted.length === 0) return
    this.#works = this.#works.filter(({ signal }) => !signal.aborted)
    for (const { reject, signal } of aborted) reject(signal.reason)
  }

  async #step(): Promise<void> {
    const { governor, batchSize } = this.#options
    const parts = planBatch(this.#works, { batchSize, prefillTokensPerMs: governor.prefillTokensPerMs })
    try {
      const outputs = await this.#timed(() => this.#decode(parts))
      await Promise.all(parts.map((part, index) => this.#finish(part, outputs[index]!)))
    } catch (error) {
      // What the cache holds now is unknown.
      for (const { work } of parts) {
        work.sequence.clear()
        this.#settle(work, () => work.reject(error))
      }
    }
  }

  /** Where in the batch the wanted logits of each part are. */
  async #decode(parts: readonly Part<QueuedWork>[]): Promise<Uint32Array[]> {
    const { context, governor, onDispatch } = this.#options
    const size = parts.reduce((sum, { count }) => sum + count, 0)
    context.initBatch(size)
    const outputs = parts.map((part) => addToBatch(context, part))
    const threads = governor.choose(size)
    context.setThreads(threads)
    const startedAt = performance.now()
    const decoding = context.decodeBatch()
    onDispatch()
    await decoding
    governor.report(size, threads, performance.now() - startedAt)
    for (const { work, count } of parts) work.sequence.append(work.tokens.slice(work.done, work.done + count))
    return outputs
  }

  async #finish({ work, count }: Part<QueuedWork>, outputs: Uint32Array): Promise<void> {
    const first = work.done
    work.done += count
    try {
      for (const [place, index] of wantedLogits(work, first, count).entries()) {
        await this.#choose(work, () => work.onLogits?.(outputs[place]!, first + index))
      }
      if (work.done === work.tokens.length) this.#settle(work, work.resolve)
    } catch (error) {
      this.#settle(work, () => work.reject(error))
    }
  }

  async #choose({ owner }: Work, choose: () => Promise<void> | undefined): Promise<void> {
    if (!owner) return choose()
    this.#choices.set(owner, new Stopwatch())
    try {
      await choose()
    } finally {
      this.#choices.delete(owner)
    }
  }

  #settle(work: QueuedWork, settle: () => void): void {
    this.#works = this.#works.filter((other) => other !== work)
    settle()
  }

  async #timed<T>(compute: () => Promise<T>): Promise<T> {
    this.#stepStartedAt = performance.now()
    try {
      return await compute()
    } finally {
      this.#stepStartedAt = undefined
    }
  }
}

function addToBatch(context: NativeContext, { work, count }: Part<QueuedWork>): Uint32Array {
  const { sequence, tokens, done } = work
  const inputs = Uint32Array.from(tokens.slice(done, done + count))
  return context.addToBatch(
    sequence.id,
    sequence.tokens.length,
    inputs,
    Uint32Array.from(wantedLogits(work, done, count)),
  )
}

/** Places within the part, of the tokens whose logits are wanted. */
function wantedLogits({ logits, tokens }: Work, first: number, count: number): number[] {
  if (logits === 'all') return Array.from({ length: count }, (_, index) => index)
  return logits === 'last' && first + count === tokens.length ? [count - 1] : []
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Measures work of this process by the clock and by the processor. */
class Stopwatch {
  readonly startedAt = performance.now()
  readonly #startedCpuMs = cpuMs()

  /** Milliseconds since the start in which this process computed: what is held up by other processes does not count. */
  get computedMs(): number {
    return Math.min(performance.now() - this.startedAt, cpuMs() - this.#startedCpuMs)
  }
}
