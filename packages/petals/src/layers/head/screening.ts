import type { QuantizedLayout } from './quantized-matrix.ts'

/** The first message to a screening process. */
export interface ScreeningSetup {
  /** The file of the 8-bit weights. */
  readonly path: string
  readonly layout: QuantizedLayout
  /** The largest ‖ŵ‖ of all rows. */
  readonly largestNorm: number
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

/** What the process says over IPC. Requests and answers go over a pipe of their own (`screening-frames.ts`). */
export type ScreeningMessage =
  { readonly type: 'ready' } | { readonly type: 'failed'; readonly reason: string }
