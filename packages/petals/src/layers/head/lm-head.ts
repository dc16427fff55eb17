import { setImmediate } from 'node:timers/promises'
import { ModelUnavailableError, silentLogger, type AbortOptions, type Logger } from '@petals-chat/engine'
import { usableLibraries, type UsableLibraries } from '@petals-chat/ggml'
import { RowLogits, type Logits } from '../../tensor/logits.ts'
import { WeightMatrix, type StoredTensor } from '../weight-matrix.ts'
import { openHeadFile, type HeadFile, type HeadFileOptions } from './head-file.ts'
import { ScreenedLogits } from './screened-logits.ts'
import { ScreeningProcess, ScreeningProcessEndedError } from './screening-process.ts'
import type { ScreenedPosition } from './screening-frames.ts'
import type { ScreeningRequest, ScreeningSetup } from './screening.ts'

export interface LmHeadOptions extends HeadFileOptions {
  /** Threads of the screening product, ≥ 1. */
  readonly threads: number
  /** llama.cpp's libraries. Default: those that are installed. */
  readonly libraries?: UsableLibraries | undefined
  /** Is told if the head is slow because native code can't compute it. */
  readonly logger?: Logger | undefined
}

/** How often a process with llama.cpp's libraries is started for a model before JavaScript computes. */
const nativeTries = 2

/** Estimates of one pass, at most: 32 MB. A pass has at least one position. */
const estimatesPerPass = 2 ** 24

/**
 * logits = W · h over the whole vocabulary, W [vocabulary, hidden] without bias, exact where it matters at half the bytes
 * of 16-bit weights: one pass over 8-bit weights ŵ estimates all logits, and a proven bound says which of them must be
 * computed again from the original weights w.
 *
 * The bound: the kernel multiplies ŵ with a rounded input x̂, so the estimate is ŵ·x̂ but for the rounding of its sums. By
 * Cauchy-Schwarz |w·x - ŵ·x̂| = |(w - ŵ)·x + ŵ·(x - x̂)| ≤ ‖w - ŵ‖·‖x‖ + ‖ŵ‖·‖x - x̂‖. Both ŵ and x̂ are quantized here and not
 * by a library, so that their distances from w and x are known.
 */
export class LmHead implements AsyncDisposable {
  readonly #matrix: WeightMatrix
  readonly #file: HeadFile
  readonly #setup: ScreeningSetup
  #process: ScreeningProcess
  readonly #waiting: Waiting[] = []
  #running = false
  #passes: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(
    matrix: WeightMatrix,
    file: HeadFile,
    setup: ScreeningSetup,
    process: ScreeningProcess,
  ) {
    this.#matrix = matrix
    this.#file = file
    this.#setup = setup
    this.#process = process
  }

  /**
   * Creates (once) and loads the 8-bit weights, and checks the bound against this machine's kernel. If llama.cpp's libraries are
   * missing or do not work here, JavaScript computes: slowly, but the same tokens.
   * @throws ModelUnavailableError if the file is damaged; the reason of the process; the signal's reason
   */
  static async create(tensor: StoredTensor, options: LmHeadOptions): Promise<LmHead> {
    const { threads, signal, libraries = usableLibraries(), logger = silentLogger } = options
    const matrix = new WeightMatrix(tensor)
    try {
      const file = await openHeadFile(tensor, matrix, options)
      const setup = {
        path: file.path,
        layout: file.layout,
        largestNorm: file.bounds.stretchNorms.reduce((most, norm) => Math.max(most, norm), 0),
        threads,
        libraries: libraries.folder,
      }
      const parts = { matrix, file, signal }
      let { reason = '' } = libraries
      // A process that the system ends for want of memory or files while it loads says nothing about the libraries.
      for (let tries = 0; setup.libraries !== undefined && tries < nativeTries; tries++) {
        try {
          return await LmHead.#open(parts, setup)
        } catch (error) {
          signal?.throwIfAborted()
          reason = errorText(error)
          if (!(error instanceof ScreeningProcessEndedError)) break
        }
      }
      const head = await LmHead.#open(parts, { ...setup, libraries: undefined })
      logger.warn({ reason }, 'The LM head is computed in JavaScript, which is slow.')
      return head
    } catch (error) {
      matrix[Symbol.dispose]()
      throw error
    }
  }

  static async #open(
    { matrix, file, signal }: { readonly matrix: WeightMatrix; readonly file: HeadFile } & AbortOptions,
    setup: ScreeningSetup,
  ): Promise<LmHead> {
    const process = await ScreeningProcess.start(setup, { signal })
    const head = new LmHead(matrix, file, setup, process)
    try {
      await head.#verifyBound()
      signal?.throwIfAborted()
      return head
    } catch (error) {
      // Of the head, which may have another process by now.
      await head.#process[Symbol.asyncDispose]()
      throw error
    }
  }

  get vocabularySize(): number {
    return this.#matrix.rows
  }

  /** The process that holds the weights; undefined between its end and the next pass. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Memory of the 8-bit weights, in their process, and of their units and bounds. */
  get memoryBytes(): number {
    return this.#file.layout.byteLength
  }

  /** Returns the logits of each normalized hidden vector. Calls of one turn of the event loop, or made during a pass, share one. */
  logits(inputs: readonly Float32Array[]): Promise<readonly Logits[]> {
    if (this.#closed) return Promise.reject(new ModelUnavailableError('The model is unloaded.'))
    const answers = inputs.map((input) => {
      const answer = Promise.withResolvers<Logits>()
      this.#waiting.push({ input, answer })
      return answer.promise
    })
    if (!this.#running) this.#passes = this.#run()
    return Promise.all(answers)
  }

  /** Returns the exact logits of some tokens for one normalized hidden vector, without a pass over all of them. */
  logitsOf(input: Float32Array, tokens: Int32Array): Logits {
    if (this.#closed) throw new ModelUnavailableError('The model is unloaded.')
    return new RowLogits(Float64Array.from(tokens, (token) => this.#matrix.dot(token, input)))
  }

  /** Resolves after the current passes have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#passes
    await this.#process[Symbol.asyncDispose]()
    this.#matrix[Symbol.dispose]()
  }

  async #run(): Promise<void> {
    this.#running = true
    const positionsPerPass = Math.max(1, Math.floor(estimatesPerPass / this.#matrix.rows))
    while (this.#waiting.length > 0) {
      // Outputs of several chats that have arrived are read one after the other: together they cost little more than one.
      await setImmediate()
      const batch = this.#waiting.splice(0, positionsPerPass)
      try {
        const logits = await this.#screen(batch.map(({ input }) => input))
        batch.forEach(({ answer }, index) => answer.resolve(logits[index]!))
      } catch (error) {
        for (const { answer } of batch) answer.reject(error)
      }
    }
    this.#running = false
  }

  async #screen(inputs: readonly Float32Array[]): Promise<readonly Logits[]> {
    const { columns } = this.#matrix
    const request = new Float32Array(inputs.length * columns)
    inputs.forEach((input, index) => request.set(input, index * columns))
    const screened = await this.#pass({ inputs: request })
    return inputs.map(
      (input, index) => new ScreenedLogits(screened[index]!, input, this.#matrix, this.#file.bounds),
    )
  }

  /** Runs a pass; if the process has ended, once more in a new one. A pass has no side effects, so it can be repeated. */
  async #pass(request: ScreeningRequest): Promise<readonly ScreenedPosition[]> {
    try {
      return await this.#process.run(request)
    } catch (error) {
      if (!(error instanceof ScreeningProcessEndedError)) throw error
      this.#process = await ScreeningProcess.start(this.#setup)
      return await this.#process.run(request)
    }
  }

  /** Checks on some rows that the file fits the weights, and that this processor's kernel is within the bound. */
  async #verifyBound(): Promise<void> {
    const probes = probesOf(this.#matrix)
    let isKept = true
    for (const count of this.#setup.libraries === undefined ? [probes.length] : checkedTogether) {
      const inputs = Array.from({ length: count }, (_, index) => probes[index % probes.length]!)
      isKept &&= keepsBound(await this.#screen(inputs))
    }
    if (isKept) return
    const how = this.#setup.libraries === undefined ? '' : " with llama.cpp's kernels"
    throw new ModelUnavailableError(
      `The errors of the 8-bit LM head exceed their bound${how}, so that it would choose wrong tokens. If ${this.#file.path} ` +
        'is damaged, delete it: it is created again.',
    )
  }
}

const errorText = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')

interface Waiting {
  readonly input: Float32Array
  readonly answer: PromiseWithResolvers<Logits>
}

/** Returns a wave of many magnitudes, and two rows of the matrix: a product with itself is the most likely to overflow. */
function probesOf(matrix: WeightMatrix): readonly Float32Array[] {
  const wave = Float32Array.from({ length: matrix.columns }, (_, i) => Math.sin(i * 12.9898) * (1 + (i % 7)))
  return [wave, matrix.row(matrix.rows >> 1), matrix.row(matrix.rows - 1)]
}

/** Positions that are checked in one pass: ggml has other kernels for several. */
const checkedTogether = [1, 3, 8]

/** Number of tokens that a check of the bound compares. */
const checkedTokens = 64

function keepsBound(screened: readonly Logits[]): boolean {
  return screened.every((logits) => {
    const step = Math.max(1, Math.floor(logits.size / checkedTokens))
    for (let token = logits.size - 1; token >= 0; token -= step) {
      // Written so that NaN fails, too.
      if (!(Math.abs(logits.estimate(token) - logits.exact(token)) <= logits.margin(token))) return false
    }
    return true
  })
}
