import type { QuantizedInputs } from './quantized-input.ts'

/** The product of the 8-bit weights with hidden states. */
export interface ScreeningProduct {
  /** Returns the estimated logits, [positions, rows]. One call at a time. */
  multiply(inputs: QuantizedInputs): Promise<Float32Array>
}
