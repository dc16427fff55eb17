import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TokenId } from '@petals-chat/engine'
import type { RoundResult } from '@petals-chat/engine/drafting'
import type { DraftPlanner, Guesses } from './draft-planner.ts'
import type { NativeContext } from './native.ts'
import { planBatch, type Part } from './plan-batch.ts'
import type { OverdueStep, TokenChoice } from '../protocol.ts'
import type { Sequence } from './sequence.ts'
import { StepClock, Stopwatch } from './step-clock.ts'
import type { ThreadGovernor } from './thread-governor.ts'

/** The request that tokens are chosen for. */
export interface WorkOwner {
  readonly request: number
  readonly hasGrammar: boolean
}

export interface Work {
  readonly sequence: Sequence
  /** Reported if choosing a token takes too long; absent for work without token choices. */
  readonly owner?: WorkOwner | undefined
  readonly tokens: readonly TokenId[]
  /** For which tokens the logits of the next token are computed. */
  readonly logits: 'none' | 'last' | 'all'
  /**
   * Called before the next step, which overwrites the logits. `index` is the token's index in `tokens`. Returns the token that
   * it chose, if the logits after that token are wanted, too: they are there if it was guessed.
   */
  readonly onLogits?: (batchIndex: number, index: number) => Promise<TokenId | undefined | void>
  /** Of the tokens after the last one. */
  readonly guesses?: Guesses | undefined
  readonly signal: AbortSignal
}

interface QueuedWork extends Work {
  /** How many tokens have been computed. */
  done: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** One step of so many reads the prompt that came first before shorter ones. */
const TURNS = 4

/** A part of a step, with guesses of the tokens after it. */
interface DraftedPart extends Part<QueuedWork> {
  readonly drafts: readonly TokenId[]
}

export interface BatchSchedulerOptions {
  readonly context: NativeContext
  readonly governor: ThreadGovernor
  /** The most tokens per step. */
  readonly batchSize: number
  /** Undefined: nothing is guessed. */
  readonly planner?: Pick<DraftPlanner, 'plan' | 'settle'> | undefined
  /** Called when a step has begun to compute: the time for work that the step need not wait for. */
  readonly onDispatch: () => void
}

/**
 * Computes the tokens of all sessions together, step by step. Every session that waits for its next token gets one in each
 * step; prompts take the rest, the shortest first. Steps are short, so that an abort takes effect soon and no session waits for
 * a long prompt.
 */
export class BatchScheduler {
  readonly #options: BatchSchedulerOptions
  #works: QueuedWork[] = []
  readonly #exclusive: Array<() => Promise<void>> = []
  #running = false
  #clock: StepClock | undefined
  readonly #choices = new Map<WorkOwner, Stopwatch>()
  #exclusiveWasLast = false
  #turns = 0

  constructor(options: BatchSchedulerOptions) {
    this.#options = options
  }

  /** How long the current step or the longest token choice has taken so far, in milliseconds; 0 between steps. */
  get stepMs(): number {
    const choices = Array.from(this.#choices.values(), ({ elapsedMs }) => elapsedMs)
    return Math.max(0, this.#clock?.elapsedMs ?? 0, ...choices)
  }

  /** The current step, if it hangs. To be asked for about twice a second. */
  get overdue(): OverdueStep | undefined {
    return this.#clock?.hangs() ? { limitMs: Math.round(this.#clock.limitMs!) } : undefined
  }

  /** The token choice with the most CPU time. Choices with a grammar come first, because only they can take for ever. */
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

  /** Runs another computation between two steps, because both at once would compete for the cores. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      // How long these take is not known: only the limit of the config holds.
      const clock = new StepClock({ expectedMs: undefined, threads: 1 })
      this.#exclusive.push(() => this.#timed(clock, () => task().then(resolve, reject)))
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
      // Lets each request that got a token ask for the next one, and messages such as `stop` arrive.
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

  /** Alternates with steps: hundreds of texts to embed must not delay answers, nor answers the texts. */
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
    const parts = this.#plan()
    const startedAt = performance.now()
    try {
      const outputs = await this.#decode(parts)
      const chosen = await Promise.all(parts.map((part, index) => this.#finish(part, outputs[index]!)))
      this.#learn(parts, { chosen: sum(chosen), ms: performance.now() - startedAt })
    } catch (error) {
      // The contents of the KV cache are unknown now.
      for (const { work } of parts) {
        work.sequence.clear()
        this.#settle(work, () => work.reject(error))
      }
    }
  }

  #plan(): readonly DraftedPart[] {
    const { governor, batchSize, planner } = this.#options
    const isTurnOfFirst = this.#turns++ % TURNS === TURNS - 1
    const { prefillTokensPerMs } = governor
    const plan = planBatch(this.#works, { batchSize, prefillTokensPerMs, isTurnOfFirst })
    // llama.cpp computes sequences together only if they follow each other by number: 4 of them in any order cost up to 1.7 times as much.
    const parts = plan.sort((a, b) => a.work.sequence.id - b.work.sequence.id)
    // Beside a prompt, no core is idle.
    const drafts = isDecoding(parts) ? planner?.plan(parts.map(({ work }) => work.guesses!)) : undefined
    return parts.map((part, index) => ({ ...part, drafts: drafts?.[index] ?? [] }))
  }

  #learn(parts: readonly DraftedPart[], { chosen, ms }: Pick<RoundResult, 'chosen' | 'ms'>): void {
    if (!isDecoding(parts)) return
    const drafted = sum(parts.map(({ drafts }) => drafts.length))
    this.#options.planner?.settle({ known: parts.length, drafted, chosen, ms })
  }

  /** Returns the batch indexes of the requested logits of each part. */
  async #decode(parts: readonly DraftedPart[]): Promise<Uint32Array[]> {
    const { context, governor, onDispatch } = this.#options
    const size = sum(parts.map(({ count, drafts }) => count + drafts.length))
    context.initBatch(size)
    const outputs = parts.map((part) => addToBatch(context, part))
    const threads = governor.choose(size)
    context.setThreads(threads)
    const clock = new StepClock({ expectedMs: governor.expectedMs(size), threads })
    await this.#timed(clock, () => {
      const decoding = context.decodeBatch()
      onDispatch()
      return decoding
    })
    const promptTokens = sum(parts.map(({ work, count }) => (work.tokens.length > 1 ? count : 0)))
    governor.report(size, threads, clock.elapsedMs, promptTokens)
    for (const part of parts) part.work.sequence.append(inputsOf(part))
    return outputs
  }

  /** Returns how many tokens were chosen. */
  async #finish(part: DraftedPart, outputs: Uint32Array): Promise<number> {
    const { work, count, drafts } = part
    const first = work.done
    work.done += count
    let chosen = 0
    try {
      if (drafts.length > 0) chosen = await this.#check(part, outputs)
      else
        for (const [output, index] of wantedLogits(work, first, count).entries()) {
          await this.#choose(work, () => work.onLogits?.(outputs[output]!, first + index))
          chosen++
        }
      if (work.done === work.tokens.length) this.#settle(work, work.resolve)
    } catch (error) {
      this.#settle(work, () => work.reject(error))
    }
    return chosen
  }

  /** Chooses tokens as long as they are the drafts, then drops the other drafts. Returns how many were chosen. */
  async #check({ work, drafts }: DraftedPart, outputs: Uint32Array): Promise<number> {
    const last = work.tokens.length - 1
    let right = 0
    for (;;) {
      const token = await this.#choose(work, () => work.onLogits?.(outputs[right]!, last + right))
      if (token === undefined || token !== drafts[right]) break
      right++
    }
    const { sequence } = work
    const lost = sequence.truncate(sequence.tokens.length - (drafts.length - right))
    if (lost.length > 0) throw new Error('the KV cache could not drop tokens')
    return right + 1
  }

  async #choose<T>({ owner }: Work, choose: () => Promise<T> | undefined): Promise<T | undefined> {
    if (!owner) return choose()
    this.#choices.set(owner, new Stopwatch())
    try {
      return await choose()
    } finally {
      this.#choices.delete(owner)
    }
  }

  #settle(work: QueuedWork, settle: () => void): void {
    this.#works = this.#works.filter((other) => other !== work)
    settle()
  }

  async #timed<T>(clock: StepClock, compute: () => Promise<T>): Promise<T> {
    this.#clock = clock
    try {
      return await compute()
    } finally {
      this.#clock = undefined
    }
  }
}

function addToBatch(context: NativeContext, part: DraftedPart): Uint32Array {
  const { work, count, drafts } = part
  const { sequence, done } = work
  const wanted = [...wantedLogits(work, done, count), ...drafts.keys().map((index) => count + index)]
  const inputs = Uint32Array.from(inputsOf(part))
  return context.addToBatch(sequence.id, sequence.tokens.length, inputs, Uint32Array.from(wanted))
}

/** The tokens that the step computes for a part. */
const inputsOf = ({ work, count, drafts }: DraftedPart): readonly TokenId[] => [
  ...work.tokens.slice(work.done, work.done + count),
  ...drafts,
]

/** Every part is the next token of an answer that guesses. */
const isDecoding = (parts: readonly Part<QueuedWork>[]): boolean =>
  parts.every(({ work }) => work.guesses !== undefined && work.tokens.length === 1)

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Returns the indexes, within the part, of the tokens whose logits are requested. */
function wantedLogits({ logits, tokens }: Work, first: number, count: number): number[] {
  if (logits === 'all') return Array.from({ length: count }, (_, index) => index)
  return logits === 'last' && first + count === tokens.length ? [count - 1] : []
}
