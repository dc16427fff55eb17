import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** The part of a stream of the process that is needed to print on it. */
export interface TerminalStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

export interface TerminalStreams {
  readonly stdout: TerminalStream
  readonly stderr: TerminalStream
}

/**
 * Prints for people. Results go to `out` (stdout), progress and errors to `note` (stderr). One status line may be shown
 * below all other output; on streams that are not a terminal there is none.
 */
export class Terminal {
  readonly #stdout: TerminalStream
  readonly #stderr: TerminalStream
  readonly #colors: boolean
  #status = ''

  constructor(streams: TerminalStreams = process, environment: NodeJS.ProcessEnv = process.env) {
    this.#stdout = streams.stdout
    this.#stderr = streams.stderr
    this.#colors = wantsColors(environment) ?? this.isInteractive
  }

  /** True if the output is a terminal: then progress may be redrawn in place. */
  get isInteractive(): boolean {
    return this.#stdout.isTTY === true && this.#stderr.isTTY === true
  }

  get columns(): number {
    // Some terminals report 0 before their window has a size.
    return this.#stdout.columns || 80
  }

  get hasColors(): boolean {
    return this.#colors
  }

  /** Prints a line of the command's result. */
  out(line = ''): void {
    this.#print(this.#stdout, `${line}\n`)
  }

  /** Prints a line about the work: progress, a warning, an error. */
  note(line = ''): void {
    this.#print(this.#stderr, `${line}\n`)
  }

  /** Prints text that may end in the middle of a line, as an answer streams in. */
  write(text: string): void {
    this.#print(this.#stdout, text)
  }

  /** For loggers: prints whole lines without breaking the status line. */
  get noteStream(): { write(text: string): void } {
    return { write: (text) => this.#print(this.#stderr, text) }
  }

  /** Shows a line below all others, in place of the previous one; an empty line removes it. */
  status(line: string): void {
    if (!this.isInteractive || line === this.#status) return
    this.#stderr.write(`${eraseLine}${line}`)
    this.#status = line
  }

  style(style: Style, text: string): string {
    return this.#colors ? styleText(style, text, { validateStream: false }) : text
  }

  #print(stream: TerminalStream, text: string): void {
    if (this.#status === '') {
      stream.write(text)
      return
    }
    this.#stderr.write(eraseLine)
    stream.write(text)
    this.#stderr.write(this.#status)
  }
}

const eraseLine = '\r\u001b[2K'

/** Returns the user's choice about colours (`no-color.org`, `force-color.org`); undefined: no choice. */
function wantsColors({ NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv): boolean | undefined {
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0'
  return (NO_COLOR !== undefined && NO_COLOR !== '') || TERM === 'dumb' ? false : undefined
}
