import process from 'node:process'
import type { EngineSettings } from '../protocol.ts'
import type { Job } from './job.ts'
import type { KvPool } from './kv-pool.ts'
import type { StepRunner } from './step-runner.ts'

/** Steps of at most this many tokens are computed together with those of other sessions. */
const smallTokens = 16
/** The most tokens of sessions that are computed together: more take longer, and win little. */
const maxTogether = 64
/** The most sequences times blocks of a step: its graph has some nodes for each of them. */
const maxNodes = 4096
/** Long passes are not cut finer: matrices are read once for all tokens of a slice. */
const minSliceTokens = 32
/** How much the last measurement counts in the mean of costs. */
const costWeight = 0.3

export interface StepListener {
  onDone(request: number, states: Float32Array): void
  onFailed(request: number, error: unknown): void
}

/**
 * Orders the work of all sessions: short steps that wait together are computed together (continuous batching), and long
 * passes are cut, by tokens and by blocks, into parts of about `sliceMs`, between which short steps come in. Long passes take
 * turns.
 */
export class StepScheduler {
  readonly #runner: StepRunner
  readonly #pool: KvPool
  readonly #settings: Pick<EngineSettings, 'sliceTokens' | 'sliceMs'>
  readonly #listener: StepListener
  #small: Job[] = []
  #large: Job[] = []
  /** Those that are being computed. */
  #active: readonly Job[] = []
  #tasks: (() => void)[] = []
  #isRunning = false
  /** CPU milliseconds of a token in a block of a long pass. */
  #cpuCost = 0.05

  constructor(
    runner: StepRunner,
    pool: KvPool,
    settings: Pick<EngineSettings, 'sliceTokens' | 'sliceMs'>,
    listener: StepListener,
  ) {
    this.#runner = runner
    this.#pool = pool
    this.#settings = settings
    this.#listener = listener
  }

  add(job: Job): void {
    const isSmall = job.size <= smallTokens && !job.command.prompts
    ;(isSmall ? this.#small : this.#large).push(job)
    this.#start()
  }

  /** Ends a step at its next part; `onFailed` follows at once if none is being computed. */
  cancel(matches: (job: Job) => boolean): void {
    for (const job of [...this.#small, ...this.#large, ...this.#active])
      if (matches(job)) job.isCancelled = true
    this.#start()
  }

  /** Runs a task while nothing is computed. */
  between(task: () => void): void {
    this.#tasks.push(task)
    this.#start()
  }

  #start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    // Messages that have arrived together are all read before the first step is put together.
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    for (;;) {
      this.#dropCancelled()
      for (const task of this.#tasks.splice(0)) task()
      const group = this.#takeGroup()
      if (group.length > 0) await this.#runGroup(group)
      const job = this.#large.shift()
      if (job) await this.#runPart(job)
      if (group.length === 0 && !job) break
      // Messages that came meanwhile are read.
      await new Promise(setImmediate)
    }
    this.#isRunning = false
    if (this.#tasks.length > 0) this.#start()
  }

  #dropCancelled(): void {
    const drop = (jobs: readonly Job[]): Job[] =>
      jobs.filter((job) => {
        if (job.isCancelled)
          this.#listener.onFailed(job.command.request, new Error('The step was cancelled.'))
        return !job.isCancelled
      })
    this.#small = drop(this.#small)
    this.#large = drop(this.#large)
  }

  /** Takes the steps that are computed together: of the same blocks as the oldest one, one of each session. */
  #takeGroup(): readonly Job[] {
    const [first] = this.#small
    if (!first) return []
    const { from, to } = first.command
    const group: Job[] = []
    let [tokens, rows] = [0, 0]
    for (const job of this.#small) {
      const fits =
        job.command.from === from &&
        job.command.to === to &&
        tokens + job.size <= maxTogether &&
        (rows + job.cache.batch) * (to - from) <= maxNodes &&
        !group.some(({ cache }) => cache === job.cache)
      if (!fits && group.length > 0) continue
      group.push(job)
      tokens += job.size
      rows += job.cache.batch
    }
    this.#small = this.#small.filter((job) => !group.includes(job))
    return group
  }

  async #runGroup(group: readonly Job[]): Promise<void> {
    this.#active = group
    try {
      for (const job of group) this.#begin(job)
      const { from, to } = group[0]!.command
      const states = join(group.map(({ command }) => command.states))
      const outputs = await this.#runner.run({ from, to, items: group.map(({ whole }) => whole), states })
      let offset = 0
      for (const { command } of group) {
        const end = offset + command.states.length
        this.#listener.onDone(command.request, group.length === 1 ? outputs : outputs.slice(offset, end))
        offset = end
      }
    } catch (error) {
      for (const { command } of group) this.#listener.onFailed(command.request, error)
    }
  }

  async #runPart(job: Job): Promise<void> {
    const { command } = job
    this.#active = [job]
    try {
      this.#begin(job)
      const slice = job.slice ?? job.begin(this.#sliceTokens())
      const tokens = slice.states.length / this.#runner.hiddenSize
      const from = slice.block
      const to = Math.min(command.to, from + this.#blocksAtOnce(tokens))
      const run = { from, to, items: [slice.item], states: slice.states, prompts: job.prompts(from, to) }
      const before = process.cpuUsage()
      slice.states = await this.#runner.run(run)
      this.#measured(before, tokens * (to - from))
      slice.block = to
      if (to === command.to) job.finish()
      if (job.isDone) this.#listener.onDone(command.request, job.outputs)
      else this.#large.push(job)
    } catch (error) {
      this.#listener.onFailed(command.request, error)
    }
  }

  #begin(job: Job): void {
    if (job.hasBegun) return
    job.hasBegun = true
    const { hypoIds, position } = job.command
    if (hypoIds) this.#pool.reorder(job.cache, hypoIds, position)
  }

  /** As many tokens as one block computes in `sliceMs`. */
  #sliceTokens(): number {
    const { sliceMs, sliceTokens } = this.#settings
    return Math.round(Math.min(sliceTokens, Math.max(minSliceTokens, sliceMs / this.#cost())))
  }

  #blocksAtOnce(tokens: number): number {
    return Math.max(1, Math.floor(this.#settings.sliceMs / (this.#cost() * tokens)))
  }

  /** Milliseconds of a token in a block with the present threads. */
  #cost(): number {
    return this.#cpuCost / this.#runner.prefillThreads
  }

  /** By CPU time: on a busy machine, finer slices would only make every pass slower. */
  #measured(before: NodeJS.CpuUsage, tokenBlocks: number): void {
    const { user, system } = process.cpuUsage(before)
    const cost = (user + system) / 1000 / tokenBlocks
    this.#cpuCost += (cost - this.#cpuCost) * costWeight
  }
}

function join(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    result.set(part, offset)
    offset += part.length
  }
  return result
}
