import { folderBytes } from '../machine/machine.ts'

/** Between two looks at the folders: an environment has tens of thousands of files. */
const lookMs = 2000

export interface InstallWatchOptions {
  /** Where packages are installed, and where they are kept on the way. */
  readonly environment: string
  readonly downloads: string
  /** What the environment will take in the end. */
  readonly expectedBytes: number
}

/** What pip or uv is doing, from what it prints and from the growth of the folders that it fills. */
export class InstallWatch implements Disposable {
  readonly #options: InstallWatchOptions
  readonly #timer: NodeJS.Timeout
  /** Changes when another build turns out to be needed. */
  expectedBytes: number
  #doing = ''
  #installed = 0
  #fetched = 0
  #isLooking = false

  constructor(options: InstallWatchOptions) {
    this.#options = options
    this.expectedBytes = options.expectedBytes
    this.#timer = setInterval(() => void this.#look(), lookMs)
  }

  read(text: string): void {
    if (/Installing collected packages/.test(text)) {
      this.#doing = 'unpacking'
      return
    }
    const file = text.matchAll(/(?:Downloading|Building wheel for|Downloaded)\s+(?:\S*\/)?([\w.-]+)/g)
    const name = [...file]
      .at(-1)?.[1]
      ?.replace(/\.metadata$/, '')
      .replace(/-\d.*$/, '')
    if (name !== undefined) this.#doing = name
  }

  detail(): string {
    const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1)
    return [
      this.#doing,
      this.#fetched > 0 ? `${gigabytes(this.#fetched)} GB on the way` : '',
      `${gigabytes(this.#installed)} of about ${gigabytes(this.expectedBytes)} GB installed`,
    ]
      .filter(Boolean)
      .join(', ')
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const { environment, downloads } = this.#options
    ;[this.#installed, this.#fetched] = await Promise.all([folderBytes(environment), folderBytes(downloads)])
    this.#isLooking = false
  }
}
