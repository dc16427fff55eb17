import {
  decodeTensor,
  elementCount,
  ServedError,
  tensorValues,
  type MsgpackValue,
  type TensorMessage,
} from '@petals-chat/petals/protocol'
import type { DeepPrompts } from '../engine/block-engine.ts'

/** Hidden states of a request. */
export interface States {
  readonly batch: number
  readonly tokens: number
  /** `[batch, tokens, hidden]`; may share the memory of the request. */
  readonly values: Float32Array
}

export interface TensorLimits {
  readonly hiddenSize: number
  /** Tokens of one request, over all rows. */
  readonly maxBatchTokens: number
}

/**
 * Returns the tensors in the order that the request's `args_structure` gives them (`unpack_args_kwargs` of
 * `petals/utils/packaging.py`); without one they are in order. @throws ServedError
 */
export function orderedTensors(
  tensors: readonly TensorMessage[],
  structure: MsgpackValue | undefined,
): readonly TensorMessage[] {
  const args: MsgpackValue | undefined = Array.isArray(structure) ? structure[0] : undefined
  if (!Array.isArray(args)) return tensors
  return (args as readonly MsgpackValue[]).slice(0, 8).map((name) => {
    const text = name instanceof Uint8Array ? Buffer.from(name).toString('latin1') : ''
    const tensor = tensors[Number(/^__T(\d{1,2})$/.exec(text)?.[1] ?? -1)]
    if (tensor) return tensor
    throw new ServedError('ValueError', 'args_structure names a tensor that the request does not have')
  })
}

/** Checks the shape before it decodes: compressed values take up to four times their length. @throws ServedError, ProtocolError */
export function readStates(
  tensor: TensorMessage,
  { hiddenSize, maxBatchTokens }: TensorLimits,
  batchOfSession?: number,
): States {
  const [batch = 0, tokens = 0, hidden] = tensor.size
  if (tensor.size.length !== 3 || hidden !== hiddenSize)
    throw shapeError('hidden states', tensor, `[batch, tokens, ${hiddenSize}]`)
  if (batchOfSession !== undefined && batch !== batchOfSession)
    throw shapeError(
      'hidden states',
      tensor,
      `[${batchOfSession}, tokens, ${hiddenSize}] as in the first request`,
    )
  if (batch * tokens > maxBatchTokens)
    throw new ServedError(
      'ValueError',
      `Task size greater than max_batch_size (${maxBatchTokens}), it can't be processed`,
    )
  return { batch, tokens, values: tensorValues(decodeTensor(tensor)) }
}

/** Returns undefined for a tensor without values, by which Petals writes "none". @throws ServedError, ProtocolError */
export function readPrompts(
  tensor: TensorMessage,
  blocks: number,
  { batch, tokens }: States,
  { hiddenSize }: TensorLimits,
): DeepPrompts | undefined {
  if (elementCount(tensor.size) === 0) return undefined
  const [count, rows, length = 0, hidden] = tensor.size
  if (count !== blocks)
    throw new ServedError('ValueError', `Received ${count} prompts for ${blocks} backends`)
  if (tensor.size.length !== 4 || hidden !== hiddenSize || (rows !== batch && rows !== 1) || length > tokens)
    throw shapeError('prompts', tensor, `[${blocks}, ${batch}, at most ${tokens}, ${hiddenSize}]`)
  return { length, values: tensorValues(decodeTensor(tensor)) }
}

/** Returns undefined if the rows of the cache stay where they are. @throws ServedError, ProtocolError */
export function readHypoIds(tensor: TensorMessage, batch: number): readonly number[] | undefined {
  if (tensor.dtype !== 'int64')
    throw new ServedError('AssertionError', `hypo ids must be int64, got ${tensor.dtype.slice(0, 40)}`)
  if (elementCount(tensor.size) === 0) return undefined
  if (tensor.size.length !== 1 || tensor.size[0] !== batch) throw shapeError('hypo ids', tensor, `[${batch}]`)
  const { data } = decodeTensor(tensor)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const ids = Array.from({ length: batch }, (_, i) => Number(view.getBigInt64(i * 8, true)))
  const wrong = ids.find((id) => id < 0 || id >= batch)
  if (wrong === undefined) return ids
  throw new ServedError('ValueError', `hypo ids must be rows of the batch (0 to ${batch - 1}), got ${wrong}`)
}

const shapeError = (what: string, { size }: TensorMessage, expected: string): ServedError =>
  new ServedError('ValueError', `The ${what} have the shape [${size.join(', ')}] instead of ${expected}.`)
