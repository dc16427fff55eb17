/** The work of the page's main thread, by CPU time. */
export interface Figures {
  readonly longestTaskMs: number
  readonly tasksOver50: number
  /** The busy share of the traced time. */
  readonly busyShare: number
}

interface TraceEvent {
  readonly name: string
  readonly pid: number
  readonly tid: number
  /** Microseconds. */
  readonly ts: number
  readonly dur?: number
  /** CPU time of the thread. */
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}

/** Reads a trace of Chromium with the category `disabled-by-default-devtools.timeline`. */
export function readTrace(buffer: Buffer): Figures {
  const { traceEvents } = JSON.parse(buffer.toString()) as { readonly traceEvents: readonly TraceEvent[] }
  const mains = traceEvents.filter(
    ({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain',
  )
  const tasks = traceEvents.filter(
    ({ name, pid, tid, tdur }) =>
      name === 'RunTask' && tdur !== undefined && mains.some((main) => main.pid === pid && main.tid === tid),
  )
  const times = tasks.map(({ tdur = 0 }) => tdur / 1000)
  const begin = Math.min(...tasks.map(({ ts }) => ts))
  const end = Math.max(...tasks.map(({ ts, dur = 0 }) => ts + dur))
  return {
    longestTaskMs: Math.round(Math.max(0, ...times)),
    tasksOver50: times.filter((time) => time > 50).length,
    busyShare: (times.reduce((sum, time) => sum + time, 0) * 1000) / (end - begin),
  }
}
