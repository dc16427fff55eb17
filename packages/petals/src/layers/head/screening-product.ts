import type { QuantizedInputs } from './quantized-input.ts'
import type { ScreeningAnswer } from './screening-frames.ts'

/** The product of the 8-bit weights with hidden states. */
export interface ScreeningProduct {
  /** Writes the estimated logits of all rows for each position. One call at a time. */
  multiply(inputs: QuantizedInputs, answer: Pick<ScreeningAnswer, 'put'>): Promise<void>
}
