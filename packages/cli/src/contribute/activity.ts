import { formatDuration } from '../terminal/format.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Interval of the lines about continuing work where a line can't be redrawn. */
const lineEveryMs = 15_000
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Shows long work: an animated line on a terminal; elsewhere an occasional line, so that a log stays short. */
export class Activity implements Disposable {
  readonly #terminal: Terminal
  readonly #timer: NodeJS.Timeout
  #title = ''
  #detail = ''
  #started = performance.now()
  #lineAt = 0
  #frame = 0

  constructor(terminal: Terminal) {
    this.#terminal = terminal
    this.#timer = setInterval(() => this.#draw(), terminal.isInteractive ? 250 : 1000)
  }

  show(title: string, detail = ''): void {
    const isNew = title !== this.#title
    this.#title = title
    this.#detail = detail
    if (!isNew) return
    this.#started = performance.now()
    this.#lineAt = this.#started
    if (this.#terminal.isInteractive) this.#draw()
    else if (title !== '') this.#terminal.note(`${title} …`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#terminal.status('')
  }

  #draw(): void {
    if (this.#title === '') return
    const now = performance.now()
    const elapsed = formatDuration((now - this.#started) / 1000)
    const text = [this.#title, this.#detail, elapsed].filter(Boolean).join(' · ')
    if (this.#terminal.isInteractive) {
      const frame = frames[this.#frame++ % frames.length]!
      this.#terminal.status(`${frame} ${text}`.slice(0, this.#terminal.columns - 1))
    } else if (now - this.#lineAt >= lineEveryMs) {
      this.#lineAt = now
      this.#terminal.note(`  ${text}`)
    }
  }
}
