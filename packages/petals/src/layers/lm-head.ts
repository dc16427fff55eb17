import * as ort from 'onnxruntime-node'
import type { Logits } from '../tensor/logits.ts'
import { quantizeMatrix, type QuantizedMatrix } from './quantized-matrix.ts'
import { dot, ScreenedLogits } from './screened-logits.ts'
import type { WeightMatrix } from './weight-matrix.ts'

export interface LmHeadOptions {
  /** Where the 8-bit weights are kept between starts. */
  readonly folder: string
  /** Identifies the weights among others in `folder`. */
  readonly key: string
  /** Threads of the screening product, ≥ 1. */
  readonly threads: number
}

/** A relative slack for what float32 sums of the kernel can add to the bound. */
const sumSlack = 1e-5

/**
 * logits = W · h over the whole vocabulary, W [vocabulary, hidden] without bias, exact where it matters at a quarter of
 * the bytes: one pass over 8-bit weights estimates all logits, and a proven bound says which of them must be computed
 * again from the original weights.
 *
 * The bound: onnxruntime's kernel quantises the input to 8 bits in the same blocks, x̂ = x - δ, so the estimate is ŵ·x̂,
 * and |w·x - ŵ·x̂| ≤ ‖w - ŵ‖·‖x‖ + ‖ŵ‖·‖δ‖ by Cauchy-Schwarz.
 */
export class LmHead implements AsyncDisposable {
  readonly #matrix: WeightMatrix
  readonly #quantized: QuantizedMatrix
  readonly #session: ort.InferenceSession
  #waiting: Waiting[] = []
  #running = false

  private constructor(matrix: WeightMatrix, quantized: QuantizedMatrix, session: ort.InferenceSession) {
    this.#matrix = matrix
    this.#quantized = quantized
    this.#session = session
  }

  /** Makes (once) and loads the 8-bit weights, and checks the bound against this machine's kernel. */
  static async create(matrix: WeightMatrix, options: LmHeadOptions): Promise<LmHead> {
    const quantized = await quantizeMatrix(matrix, options.folder, options.key)
    const session = await ort.InferenceSession.create(quantized.modelPath, {
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      // Spinning threads would take the cores from everything else between two tokens.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    })
    const head = new LmHead(matrix, quantized, session)
    await head.#verifyBound()
    return head
  }

  get vocabularySize(): number {
    return this.#matrix.rows
  }

  /** Logits for each of these normalised hidden vectors. Calls that come while a pass runs share the next one. */
  logits(inputs: readonly Float32Array[]): Promise<readonly Logits[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ inputs, resolve, reject })
      if (!this.#running) void this.#drain()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release()
    this.#matrix[Symbol.dispose]()
  }

  async #drain(): Promise<void> {
    this.#running = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        const logits = await this.#screen(batch.flatMap((each) => each.inputs))
        let next = 0
        for (const { inputs, resolve } of batch) resolve(logits.slice(next, (next += inputs.length)))
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#running = false
  }

  async #screen(inputs: readonly Float32Array[]): Promise<readonly Logits[]> {
    const { rows, columns } = this.#matrix
    const x = new Float32Array(inputs.length * columns)
    inputs.forEach((input, index) => x.set(input, index * columns))
    const results = await this.#session.run({ x: new ort.Tensor('float32', x, [inputs.length, columns]) })
    const y = results['y']!.data as Float32Array
    return inputs.map((input, index) => {
      const estimates = y.subarray(index * rows, (index + 1) * rows)
      return new ScreenedLogits(estimates, input, this.#matrix, this.#margins(input))
    })
  }

  #margins(input: Float32Array): (token: number) => number {
    const { rowErrors, rowNorms, blockSize } = this.#quantized
    const norm = Math.sqrt(dot(input, input)) * (1 + sumSlack)
    const inputError = quantizationErrorBound(input, blockSize) + norm * sumSlack
    return (token) => rowErrors[token]! * norm + rowNorms[token]! * inputError
  }

  /** The kernel is chosen by the processor; a few rows show whether it errs as the bound supposes. */
  async #verifyBound(): Promise<void> {
    const { rows, columns } = this.#matrix
    const probe = Float32Array.from({ length: columns }, (_, i) => Math.sin(i * 12.9898) * (1 + (i % 7)))
    const [logits] = await this.#screen([probe])
    for (let token = 0; token < rows; token += Math.max(1, Math.floor(rows / 64))) {
      const difference = Math.abs(logits!.estimates[token]! - logits!.exact(token))
      if (!(difference <= logits!.margin(token))) {
        throw new Error(
          `The 8-bit LM head errs by ${difference} at token ${token}, more than its bound ${logits!.margin(token)}.`,
        )
      }
    }
  }
}

interface Waiting {
  readonly inputs: readonly Float32Array[]
  resolve(logits: readonly Logits[]): void
  reject(error: unknown): void
}

/** Upper bound of ‖δ‖: with a step of max|x|/127 in each block, rounding errs by half a step at most. */
function quantizationErrorBound(input: Float32Array, blockSize: number): number {
  let squares = 0
  for (let start = 0; start < input.length; start += blockSize) {
    const end = Math.min(start + blockSize, input.length)
    let largest = 0
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(input[i]!))
    const step = largest / 127
    const inverse = step === 0 ? 0 : 1 / step
    for (let i = start; i < end; i++) {
      // The kernel's rounding of halves may differ from ours: the larger of both distances is used near a half.
      const level = input[i]! * inverse
      const distance = Math.abs(level - Math.round(level))
      const error = distance > 0.499 ? 0.501 : distance + 1e-3
      squares += (error * step) ** 2
    }
  }
  return Math.sqrt(squares)
}
