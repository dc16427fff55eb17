import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** What a stream of the process must offer to print on it. */
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
 * Prints for people. Results go to `out` (stdout), progress and errors to `notes` (stderr). One status line may stand
 * below everything that was printed; on streams that are no terminal there is none.
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

  /** Whether a person is watching: then progress may be redrawn in place. */
  get isInteractive(): boolean {
    return this.#stdout.isTTY === true && this.#stderr.isTTY === true
  }

  get columns(): number {
    // Some terminals say 0 before their window has a size.
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

  /** For loggers: whole lines that must not tear the status line. */
  get noteStream(): { write(text: string): void } {
    return { write: (text) => this.#print(this.#stderr, text) }
  }

  /** Shows a line below all others, in place of the last one; an empty one takes it away. */
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

/** What the user said of colours (no-color.org, force-color.org); undefined: nothing. */
function wantsColors({ NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv): boolean | undefined {
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0'
  return (NO_COLOR !== undefined && NO_COLOR !== '') || TERM === 'dumb' ? false : undefined
}
