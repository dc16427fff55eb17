import { ProtocolError } from '../errors.ts'
import { decodeTensor } from '../tensor/codecs/index.ts'
import { isFloatDtype, type FloatDtype } from '../tensor/dtype.ts'
import { float32View, uint16View, type Tensor } from '../tensor/tensor.ts'
import type { ExpertResponse } from '../wire/runtime.ts'

/** A tensor of hidden states: [1, tokens, hidden]. */
export type HiddenTensor = Tensor & { readonly dtype: FloatDtype }

/** Activations of real models stay far below; float16 could not even hold it. */
const largestPlausible = 1e9

/** Bytes of a response beside its values. */
const overheadBytes = 64 * 1024

/** Longest honest response to a step: float32 is the widest that servers send. */
export const maxResponseBytes = (tokens: number, hiddenSize: number): number =>
  tokens * hiddenSize * 4 + overheadBytes

/**
 * The outputs of a step, checked: a server may be broken or lying, and a wrong value here would only show as a wrong word.
 * @throws ProtocolError
 */
export function readOutputs({ tensors }: ExpertResponse, tokens: number, hiddenSize: number): HiddenTensor {
  const [encoded] = tensors
  if (!encoded || tensors.length !== 1)
    throw new ProtocolError(`A step was answered by ${tensors.length} tensors instead of 1.`)
  const { size } = encoded
  if (size.length !== 3 || size[0] !== 1 || size[1] !== tokens || size[2] !== hiddenSize) {
    throw new ProtocolError(
      `A step of shape [1, ${tokens}, ${hiddenSize}] was answered by one of shape [${size.join(', ')}].`,
    )
  }
  const tensor = decodeTensor(encoded)
  const { dtype } = tensor
  if (!isFloatDtype(dtype)) throw new ProtocolError(`A step was answered in ${dtype}.`)
  checkValues(tensor, hiddenSize)
  return { ...tensor, dtype }
}

/** No NaN, no infinity, nothing absurd, and no token whose values are all zero. */
function checkValues(tensor: Tensor, hiddenSize: number): void {
  const values = tensor.dtype === 'float32' ? float32View(tensor.data) : uint16View(tensor.data)
  const isWrong = wrongValue[tensor.dtype as FloatDtype]
  const signless = tensor.dtype === 'float32' ? (value: number) => value : (bits: number) => bits & 0x7fff
  for (let start = 0; start < values.length; start += hiddenSize) {
    let allZero = true
    for (let i = start; i < start + hiddenSize; i++) {
      const value = values[i]!
      if (isWrong(value))
        throw new ProtocolError('A step was answered by values that are not numbers, or absurdly large.')
      if (allZero && signless(value) !== 0) allZero = false
    }
    if (allZero) throw new ProtocolError('A step was answered by zeros.')
  }
}

/** float32 is looked at as numbers, the 16-bit types as their bits: decoding them all would cost more than the look. */
const wrongValue: Readonly<Record<FloatDtype, (value: number) => boolean>> = {
  float32: (value) => !(Math.abs(value) <= largestPlausible),
  float16: (bits) => (bits & 0x7c00) === 0x7c00,
  bfloat16: (bits) => (bits & 0x7fff) > 0x4e6e, // the bits of 1e9
}
