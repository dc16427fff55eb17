import type { LoadProgress } from '@petals-chat/engine'

/** Often enough for a smooth bar, rarely enough to cost nothing. */
const intervalMs = 250

export interface ProgressMeter {
  /** Bytes done so far. */
  update(done: number): void
  /** Makes the last report, regardless of the interval. */
  finish(done: number): void
}

export interface ProgressTask {
  readonly phase: LoadProgress['phase']
  readonly label: string
  readonly total?: number | undefined
}

/** Reports the first and the last state of a task, and about four states a second between them. */
export function progressMeter(
  onProgress: ((progress: LoadProgress) => void) | undefined,
  task: ProgressTask,
): ProgressMeter {
  let reportedAt = -Infinity
  const report = (done: number): void => {
    reportedAt = performance.now()
    onProgress?.({ ...task, done, unit: 'bytes' })
  }
  return {
    update: (done) => {
      if (performance.now() - reportedAt >= intervalMs) report(done)
    },
    finish: report,
  }
}
