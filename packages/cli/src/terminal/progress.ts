import type { LoadProgress } from '@petals-chat/engine'
import { formatBytes, formatDuration } from './format.ts'
import type { Terminal } from './terminal.ts'

/** Window of the speed measurement: steady enough to read, short enough to follow a change. */
const speedWindowMs = 5000
const barWidth = 20

const verbs = {
  download: 'Downloading',
  verify: 'Checking',
  load: 'Loading',
  connect: 'Connecting to',
} as const

interface Sample {
  readonly time: number
  readonly done: number
}

export interface ProgressOptions {
  readonly now?: () => number
  /** Prints permanent lines: to the stream of results or that of notes (default). */
  readonly print?: (line: string) => void
}

/**
 * Shows the progress of loading a model: a bar that is redrawn on a terminal; elsewhere a line at the start and at every
 * tenth of each step, so that a log stays short.
 */
export class ProgressDisplay {
  readonly #terminal: Terminal
  readonly #now: () => number
  readonly #print: (line: string) => void
  #step = ''
  #samples: Sample[] = []
  #tenths = -1

  constructor(terminal: Terminal, { now = () => performance.now(), print }: ProgressOptions = {}) {
    this.#terminal = terminal
    this.#now = now
    this.#print = print ?? ((line) => terminal.note(line))
  }

  update(progress: LoadProgress): void {
    const step = `${progress.phase} ${progress.label}`
    if (step !== this.#step) {
      this.#step = step
      this.#samples = []
      this.#tenths = -1
    }
    this.#addSample(progress.done)
    if (this.#terminal.isInteractive) this.#terminal.status(this.#describe(progress, this.#terminal.columns))
    else this.#printTenth(progress)
  }

  /** Removes the bar. */
  finish(): void {
    this.#terminal.status('')
  }

  #addSample(done: number): void {
    const time = this.#now()
    this.#samples.push({ time, done })
    while (this.#samples.length > 2 && this.#samples[0]!.time < time - speedWindowMs) this.#samples.shift()
  }

  #printTenth(progress: LoadProgress): void {
    const tenths = progress.total ? Math.floor((10 * progress.done) / progress.total) : 0
    if (tenths === this.#tenths) return
    this.#tenths = tenths
    this.#print(this.#describe(progress))
  }

  /** `columns`: draw a bar, and leave out what does not fit. */
  #describe(progress: LoadProgress, columns?: number): string {
    const { phase, label, done, total } = progress
    const share = total ? Math.min(1, done / total) : undefined
    const details = [
      share === undefined ? undefined : `${Math.floor(100 * share)} %`,
      describeAmount(progress),
      ...this.#describeSpeed(progress),
    ].filter((detail) => detail !== undefined && detail !== '')
    const name = `${verbs[phase]} ${label}`
    if (columns === undefined) return details.length === 0 ? `${name} …` : `${name}: ${details.join(', ')}`
    const bar = share === undefined ? '' : `  ${drawBar(share)}`
    const line = `${name}${bar}  ${details.join('  ')}`
    return line.length < columns ? line : `${name.slice(0, columns - 12)}  ${details[0] ?? ''}`
  }

  #describeSpeed({ unit, done, total }: LoadProgress): readonly string[] {
    const first = this.#samples[0]!
    const last = this.#samples.at(-1)!
    const seconds = (last.time - first.time) / 1000
    const speed = (last.done - first.done) / seconds
    if (unit !== 'bytes' || seconds < 0.5 || speed <= 0) return []
    const rate = `${formatBytes(speed)}/s`
    return total === undefined || done >= total
      ? [rate]
      : [rate, `${formatDuration((total - done) / speed)} left`]
  }
}

function describeAmount({ unit, done, total }: LoadProgress): string | undefined {
  switch (unit) {
    case 'bytes':
      return total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`
    case 'blocks':
      return total === undefined ? `${done} blocks` : `${done} of ${total} blocks`
    case 'percent':
      return undefined
  }
}

function drawBar(share: number): string {
  const full = Math.round(share * barWidth)
  return '█'.repeat(full) + '░'.repeat(barWidth - full)
}
