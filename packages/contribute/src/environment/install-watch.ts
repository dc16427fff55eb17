import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'

/** Between two looks at the folders: an environment has tens of thousands of files. */
const lookMs = 2000

export interface InstallWatchOptions {
  /** Folders that fill up meanwhile. */
  readonly folders: readonly string[]
  /** What they will hold in the end. */
  readonly expectedBytes: number
}

/** What pip or uv is doing, from what it prints and from the growth of the folders that it fills. */
export class InstallWatch implements Disposable {
  readonly #options: InstallWatchOptions
  readonly #timer: NodeJS.Timeout
  #package = ''
  #bytes = 0
  #isLooking = false

  constructor(options: InstallWatchOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#look(), lookMs)
  }

  read(text: string): void {
    const matches = [
      ...text.matchAll(
        /(?:Collecting|Downloading|Building wheel for|Building|Downloaded|Installing)\s+([\w.-]+)/g,
      ),
    ]
    const name = matches.at(-1)?.[1]?.replace(/-\d.*$/, '')
    if (name !== undefined && name !== 'collected') this.#package = name
  }

  detail(): string {
    const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1)
    const amount = `${gigabytes(this.#bytes)} of about ${gigabytes(this.#options.expectedBytes)} GB`
    return [this.#package, amount].filter(Boolean).join(', ')
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const sizes = await Promise.all(this.#options.folders.map(sizeOf))
    this.#bytes = sizes.reduce((sum, size) => sum + size, 0)
    this.#isLooking = false
  }
}

/** Files that come and go meanwhile do not matter. */
async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  let total = 0
  for (const entry of entries) {
    const place = path.join(folder, entry.name)
    if (entry.isDirectory()) total += await sizeOf(place)
    else if (entry.isFile())
      total += await stat(place).then(
        ({ size }) => size,
        () => 0,
      )
  }
  return total
}
