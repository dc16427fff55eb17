import { folderBytes } from '../machine/machine.ts'

/** The interval between two measurements of the folders: an environment has tens of thousands of files. */
const intervalMs = 2000

export interface InstallWatchOptions {
  /** The folders of installed packages and of temporary downloads. */
  readonly environment: string
  readonly downloads: string
  /** The size of the finished environment. */
  readonly expectedBytes: number
}

/** Describes the progress of pip or uv, by its output and by the growth of the folders that it fills. */
export class InstallWatch implements Disposable {
  readonly #options: InstallWatchOptions
  readonly #timer: NodeJS.Timeout
  /** Changes if another build must be installed. */
  expectedBytes: number
  #doing = ''
  #installed = 0
  #fetched = 0
  #isMeasuring = false

  constructor(options: InstallWatchOptions) {
    this.#options = options
    this.expectedBytes = options.expectedBytes
    this.#timer = setInterval(() => void this.#measure(), intervalMs)
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
      this.#fetched > 0 ? `${gigabytes(this.#fetched)} GB downloading` : '',
      `${gigabytes(this.#installed)} of about ${gigabytes(this.expectedBytes)} GB installed`,
    ]
      .filter(Boolean)
      .join(', ')
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  async #measure(): Promise<void> {
    if (this.#isMeasuring) return
    this.#isMeasuring = true
    const { environment, downloads } = this.#options
    ;[this.#installed, this.#fetched] = await Promise.all([folderBytes(environment), folderBytes(downloads)])
    this.#isMeasuring = false
  }
}
