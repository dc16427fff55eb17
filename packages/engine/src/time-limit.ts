import process from 'node:process'
import { createContext, Script, type Context } from 'node:vm'

/** After a call that took too long, the next ones get a tenth of the time until this many milliseconds later. */
const PROBATION_MS = 60_000
const PROBATION_SHARE = 0.1
/** A call that has computed for less than this share of its limit was kept from it: other programs had the cores, or the machine slept. */
const COMPUTED_SHARE = 0.8
/** How often such a call runs, and how many times its limit it may last then. */
const MAX_RUNS = 3
const MAX_PATIENCE = 20

/** A call was ended, because it took longer than its limit. */
export class TimeLimitExceeded extends Error {
  override readonly name = 'TimeLimitExceeded'

  constructor(limitMs: number) {
    super(`it took longer than ${Math.round(limitMs)} ms`)
  }
}

const script = new Script('task()', { filename: 'time-limit' })
let context: Context | undefined

/**
 * Bounds the time of synchronous work whose length depends on a model's files (their regular expressions, templates and
 * vocabularies), so that no file can stop this process. V8 ends the call wherever it is in JavaScript or in a regular
 * expression; a single search for a text in a text is native and ends by itself.
 *
 * The limit is CPU time of this thread, so that a busy machine refuses no honest file: V8 can end a call only by the clock,
 * and a call that was ended early runs again from its beginning, with more time.
 *
 * This is no sandbox: the work runs with all rights of this process. A limit costs 0.1 ms a call.
 */
export class TimeLimit {
  readonly #limitMs: number
  #probationEnds = -Infinity

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /**
   * Returns the task's result. `extraMs` is time that the task may take because its input is long. The task may be ended at
   * any point and run again, so it must not depend on what an earlier run left behind.
   * @throws TimeLimitExceeded, or what the task throws
   */
  run<T>(task: () => T, extraMs = 0): T {
    const isOnProbation = performance.now() < this.#probationEnds
    const limitMs = Math.ceil(this.#limitMs * (isOnProbation ? PROBATION_SHARE : 1) + extraMs)
    let timeoutMs = limitMs
    for (let runs = 1; ; runs++) {
      const startedMs = threadCpuMs()
      try {
        return runFor(timeoutMs, task)
      } catch (error) {
        if (!isTimeout(error)) throw error
      }
      const computed = (threadCpuMs() - startedMs) / limitMs
      if (computed >= COMPUTED_SHARE || runs === MAX_RUNS) break
      timeoutMs = Math.ceil(limitMs * Math.min(1.5 / computed, MAX_PATIENCE))
    }
    this.#probationEnds = performance.now() + PROBATION_MS
    throw new TimeLimitExceeded(limitMs)
  }
}

/** Runs the task until a time on the clock. */
function runFor<T>(timeoutMs: number, task: () => T): T {
  context ??= createContext(Object.create(null) as object)
  const outer: unknown = context['task']
  context['task'] = task
  try {
    return script.runInContext(context, { timeout: timeoutMs }) as T
  } finally {
    context['task'] = outer
  }
}

/** Node 22 knows only the time of all threads. */
const cpuUsage: () => NodeJS.CpuUsage =
  (process as Partial<NodeJS.Process>).threadCpuUsage?.bind(process) ?? process.cpuUsage.bind(process)

function threadCpuMs(): number {
  const { user, system } = cpuUsage()
  return (user + system) / 1000
}

/** The error is from the other context: it is no `Error` of this one. */
const isTimeout = (error: unknown): boolean =>
  (error as Partial<NodeJS.ErrnoException> | null | undefined)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
