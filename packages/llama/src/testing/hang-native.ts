/**
 * Preloaded into the process of a model: while the file HANG_ONCE exists, the next step of a single token (its content is
 * `decode`) or the next choice of a token (`sample`) computes natively for many minutes, as a fault of llama.cpp would.
 */
import { pbkdf2 } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import process from 'node:process'

interface Context {
  initBatch(size: number): void
  decodeBatch(): Promise<void>
  sampleToken(...options: unknown[]): Promise<unknown>
}
interface Addon {
  readonly AddonContext?: new (...options: unknown[]) => Context
}

const file = process.env['HANG_ONCE']!

function takes(what: string): boolean {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== what) return false
  rmSync(file)
  return true
}

/** Computes in a thread of its own. */
const compute = () => new Promise<never>((_, reject) => pbkdf2('', '', 2 ** 31 - 1, 64, 'sha512', reject))

const open = process.dlopen
process.dlopen = (module: { exports: Addon }, ...rest) => {
  open(module, ...rest)
  const { AddonContext } = module.exports
  if (!AddonContext) return
  class Hanging extends AddonContext {
    #size = 0

    override initBatch(size: number) {
      this.#size = size
      super.initBatch(size)
    }

    override decodeBatch() {
      return this.#size === 1 && takes('decode') ? compute() : super.decodeBatch()
    }

    override sampleToken(...options: unknown[]) {
      return takes('sample') ? compute() : super.sampleToken(...options)
    }
  }
  module.exports = Object.create(module.exports, { AddonContext: { value: Hanging } }) as Addon
}
