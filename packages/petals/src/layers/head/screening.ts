import type { QuantizedLayout } from './quantized-matrix.ts'

/** The first message to a screening process. */
export interface ScreeningSetup {
  /** The file of the 8-bit weights. */
  readonly path: string
  readonly layout: QuantizedLayout
  /** Threads of the product, ≥ 1. */
  readonly threads: number
  /** The folder of llama.cpp's libraries; undefined to compute without native code. */
  readonly libraries: string | undefined
}

/** One pass over the weights. */
export interface ScreeningRequest {
  /** Normalized hidden states, [positions, columns]. */
  readonly inputs: Float32Array
}

export interface ScreeningAnswer {
  /** Estimated logits, [positions, rows]. */
  readonly estimates: Float32Array
  /** `inputNorm` and `inputError` of the `ErrorBound` of each position. */
  readonly inputNorms: Float64Array
  readonly inputErrors: Float64Array
}

export type ScreeningMessage =
  | { readonly type: 'ready' }
  | ({ readonly type: 'answer' } & ScreeningAnswer)
  | { readonly type: 'failed'; readonly reason: string }
