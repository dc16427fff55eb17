// What goes over the pipe between the engine and a screening process: requests and answers in the byte order of this machine,
// without a serializer. A request is the number of its positions and their hidden states. An answer has for each position the
// facts of its estimates, then all codes, then all peaks.
import { stretchTokens } from '../../tensor/logits.ts'
import { bytesOf } from '../../tensor/tensor.ts'
import type { InputBound, QuantizedInputs } from './quantized-input.ts'
import type { ScreeningRequest } from './screening.ts'

/** The file descriptor of the pipe in the screening process. */
export const pipeDescriptor = 4

/** Bytes before the states of a request: a Uint32. */
export const requestHeaderBytes = 4

export function encodeRequest({ inputs }: ScreeningRequest, columns: number): Uint8Array {
  const request = new Uint8Array(requestHeaderBytes + inputs.byteLength)
  new Uint32Array(request.buffer)[0] = inputs.length / columns
  request.set(bytesOf(inputs), requestHeaderBytes)
  return request
}

/** Returns the number of positions. The frame has memory of its own, as a `FrameReader` gives it. */
export const decodeHeader = ({ buffer }: Uint8Array): number => new Uint32Array(buffer)[0]!

/** Returns the hidden states. The frame has memory of its own. */
export const decodeInputs = ({ buffer }: Uint8Array): Float32Array => new Float32Array(buffer)

/** The largest magnitude of a code. */
const largestCode = 32_767

/** Codes are rounded to whole numbers. The rest is for the rounding of the multiplications, which is far smaller. */
const codeError = 0.5 * (1 + 1e-6)

/** Float64 facts of a position: `inputNorm`, `inputError`, and the step of the codes. */
const factsOfPosition = 3

/** Estimated logits of one position, in 16 bits: a token's estimate is its code times `step`. */
export interface ScreenedPosition extends InputBound {
  /** Of each row. */
  readonly codes: Int16Array
  /** The largest code of each stretch of rows. */
  readonly peaks: Int16Array
  readonly step: number
  /** The most that the codes change an estimate of the kernel. */
  readonly rounding: number
}

/** An answer in memory: views of its parts. */
interface AnswerParts {
  readonly facts: Float64Array
  /** [positions, rows] */
  readonly codes: Int16Array
  /** [positions, stretches] */
  readonly peaks: Int16Array
}

const stretchesOf = (rows: number): number => Math.ceil(rows / stretchTokens)

export const answerBytes = (positions: number, rows: number): number =>
  positions * (factsOfPosition * 8 + (rows + stretchesOf(rows)) * 2)

/** `bytes` begin at a multiple of eight. */
function partsOf({ buffer, byteOffset }: Uint8Array, positions: number, rows: number): AnswerParts {
  const codesAt = byteOffset + positions * factsOfPosition * 8
  const peaksAt = codesAt + positions * rows * 2
  return {
    facts: new Float64Array(buffer, byteOffset, positions * factsOfPosition),
    codes: new Int16Array(buffer, codesAt, positions * rows),
    peaks: new Int16Array(buffer, peaksAt, positions * stretchesOf(rows)),
  }
}

/** The answer of a pass, to which a product writes. */
export class ScreeningAnswer {
  readonly bytes: Uint8Array
  readonly #rows: number
  readonly #parts: AnswerParts

  /**
   * @param bytes - `answerBytes` of them, which are overwritten
   * @param largestNorm - the largest ‖ŵ‖ of all rows
   */
  constructor(
    { positions, norms, errors }: Pick<QuantizedInputs, 'positions' | 'norms' | 'errors'>,
    { rows, largestNorm }: { readonly rows: number; readonly largestNorm: number },
    bytes: Uint8Array,
  ) {
    this.bytes = bytes
    this.#rows = rows
    this.#parts = partsOf(bytes, positions, rows)
    for (let position = 0; position < positions; position++) {
      const [norm, error] = [norms[position]!, errors[position]!]
      this.#parts.facts.set([norm, error, stepFor(largestNorm * (norm + error))], position * factsOfPosition)
    }
  }

  /**
   * Writes the estimates of some rows for one position: product · unit · units. A whole number of stretches is before `first`;
   * the next call goes on behind a whole stretch.
   */
  put(position: number, first: number, products: Float32Array, units: Float32Array, unit: number): void {
    const { facts, codes, peaks } = this.#parts
    const factor = unit / facts[position * factsOfPosition + 2]!
    let place = position * this.#rows + first
    let stretch = position * stretchesOf(this.#rows) + first / stretchTokens
    for (let row = 0; row < units.length; stretch++) {
      const end = Math.min(row + stretchTokens, units.length)
      let peak = 0
      for (; row < end; row++) {
        // Rounds half up, since all numbers are positive.
        const shifted = (products[row]! * units[row]! * factor + (largestCode + 0.5)) | 0
        codes[place++] = shifted - largestCode
        peak = peak > shifted ? peak : shifted
      }
      peaks[stretch] = peak - largestCode
    }
  }
}

/**
 * The step with which all estimates have a code: by Cauchy-Schwarz none is larger than `most` but for the rounding of the
 * kernel. To look for the largest one would cost more than the finer codes are worth: this step is a small part of the
 * margin, which is a part of the same product.
 */
const stepFor = (most: number): number => Math.max((most * 1.01) / largestCode, smallestStep)

/** Far below the smallest float32, so that a state of zeros has the estimate 0 and no division by it. */
const smallestStep = 2 ** -200

export function decodeAnswer(bytes: Uint8Array, rows: number): readonly ScreenedPosition[] {
  const positions = bytes.length / answerBytes(1, rows)
  const { facts, codes, peaks } = partsOf(bytes, positions, rows)
  const stretches = stretchesOf(rows)
  return Array.from({ length: positions }, (_, position) => {
    const [inputNorm = NaN, inputError = NaN, step = NaN] = facts.subarray(position * factsOfPosition)
    return {
      codes: codes.subarray(position * rows, (position + 1) * rows),
      peaks: peaks.subarray(position * stretches, (position + 1) * stretches),
      step,
      rounding: step * codeError,
      inputNorm,
      inputError,
    }
  })
}
