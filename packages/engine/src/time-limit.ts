import { createContext, Script, type Context } from 'node:vm'

/** After a call that took too long, the next ones get a tenth of the time until this many milliseconds later. */
const PROBATION_MS = 60_000
const PROBATION_SHARE = 0.1

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
 * This is no sandbox: the work runs with all rights of this process. A limit costs 0.1 ms a call.
 */
export class TimeLimit {
  readonly #limitMs: number
  #probationEnds = -Infinity

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /**
   * Returns the task's result. `extraMs` is time that the task may take because its input is long.
   * @throws TimeLimitExceeded, or what the task throws
   */
  run<T>(task: () => T, extraMs = 0): T {
    const isOnProbation = performance.now() < this.#probationEnds
    const limitMs = Math.ceil(this.#limitMs * (isOnProbation ? PROBATION_SHARE : 1) + extraMs)
    context ??= createContext(Object.create(null) as object)
    const outer: unknown = context['task']
    context['task'] = task
    try {
      return script.runInContext(context, { timeout: limitMs }) as T
    } catch (error) {
      if (!isTimeout(error)) throw error
      this.#probationEnds = performance.now() + PROBATION_MS
      throw new TimeLimitExceeded(limitMs)
    } finally {
      context['task'] = outer
    }
  }
}

/** The error is from the other context: it is no `Error` of this one. */
const isTimeout = (error: unknown): boolean =>
  (error as Partial<NodeJS.ErrnoException> | null | undefined)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
