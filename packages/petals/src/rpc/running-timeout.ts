/** Timers of a busy program are late by less than this, milliseconds, as long as it runs. */
const noticeableMs = 100

/**
 * Calls `onOver` after a time, unless the returned function is called before. A pause of this process is not counted against a
 * peer: where a timer is due after a pause, what came meanwhile has not been read yet. So a timer that is late is put off by as
 * long, altogether by no more than `ms`.
 *
 * @param now milliseconds of a clock that never goes back
 */
export function startTimeout(
  ms: number,
  onOver: () => void,
  now: () => number = () => performance.now(),
): () => void {
  let timer: NodeJS.Timeout
  let mostMs = ms
  const start = (nextMs: number): void => {
    const dueAt = now() + nextMs
    timer = setTimeout(() => {
      const lateMs = Math.min(now() - dueAt, mostMs)
      if (lateMs < noticeableMs) return onOver()
      mostMs -= lateMs
      start(lateMs)
    }, nextMs)
  }
  start(ms)
  return () => clearTimeout(timer)
}
