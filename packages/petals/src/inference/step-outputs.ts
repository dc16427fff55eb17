import { ProtocolError } from '../errors.ts'
import { decodeTensor } from '../tensor/codecs/index.ts'
import { isFloatDtype, type FloatDtype } from '../tensor/dtype.ts'
import { float32View, uint16View, type Tensor } from '../tensor/tensor.ts'
import type { ExpertResponse } from '../wire/runtime.ts'

/** A tensor of hidden states: [1, tokens, hidden]. */
export type HiddenTensor = Tensor & { readonly dtype: FloatDtype }

/** Activations of real models stay far below this; float16 could not even hold it. */
const largestPlausible = 1e9

/** Most bytes of a response besides its values. */
const overheadBytes = 64 * 1024

/** Returns the length of the longest honest response to a step: float32 is the widest type that servers send. */
export const maxResponseBytes = (tokens: number, hiddenSize: number): number =>
  tokens * hiddenSize * 4 + overheadBytes

/**
 * Decodes and checks the outputs of a step. A server may be faulty or malicious, and a wrong value would only show as a
 * wrong word in the answer. @throws ProtocolError
 */
export function readOutputs({ tensors }: ExpertResponse, tokens: number, hiddenSize: number): HiddenTensor {
  const [encoded] = tensors
  if (!encoded || tensors.length !== 1)
    throw new ProtocolError(`The answer to a step has ${tensors.length} tensors instead of 1.`)
  const { size } = encoded
  if (size.length !== 3 || size[0] !== 1 || size[1] !== tokens || size[2] !== hiddenSize) {
    throw new ProtocolError(
      `The answer to a step of shape [1, ${tokens}, ${hiddenSize}] has the shape [${size.join(', ')}].`,
    )
  }
  const tensor = decodeTensor(encoded)
  const { dtype } = tensor
  if (!isFloatDtype(dtype))
    throw new ProtocolError(`The answer to a step is of type ${dtype}, which is not a floating-point type.`)
  checkValues(tensor, hiddenSize)
  return { ...tensor, dtype }
}

/** @throws ProtocolError for NaN, infinity, an implausibly large value, or a token whose values are all zero */
function checkValues(tensor: Tensor, hiddenSize: number): void {
  const values = tensor.dtype === 'float32' ? float32View(tensor.data) : uint16View(tensor.data)
  const isWrong = wrongValue[tensor.dtype as FloatDtype]
  const signless = tensor.dtype === 'float32' ? (value: number) => value : (bits: number) => bits & 0x7fff
  for (let start = 0; start < values.length; start += hiddenSize) {
    let allZero = true
    for (let i = start; i < start + hiddenSize; i++) {
      const value = values[i]!
      if (isWrong(value))
        throw new ProtocolError(
          'The answer to a step has values that are NaN, infinite or implausibly large.',
        )
      if (allZero && signless(value) !== 0) allZero = false
    }
    if (allZero) throw new ProtocolError('The answer to a step has a token whose values are all zero.')
  }
}

/** Checks float32 as numbers but the 16-bit types as bits: decoding them would cost more than the check. */
const wrongValue: Readonly<Record<FloatDtype, (value: number) => boolean>> = {
  float32: (value) => !(Math.abs(value) <= largestPlausible),
  float16: (bits) => (bits & 0x7c00) === 0x7c00,
  bfloat16: (bits) => (bits & 0x7fff) > 0x4e6e, // the bits of 1e9
}
