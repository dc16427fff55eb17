import type { FloatDtype } from '../../tensor/dtype.ts'
import { areCounts, isCount } from '../tensor-entry.ts'
import { PickleError, PickleGlobal, readPickle, type PickleValue } from './pickle.ts'

/** A tensor of a state dictionary: a view of one of the arrays that are stored beside the pickle. */
export interface StoredView {
  /** Name of the array. */
  readonly key: string
  /** Undefined for types that weights do not use (integers, booleans). */
  readonly dtype: FloatDtype | undefined
  /** Index of the first element in the array. */
  readonly offset: number
  readonly shape: readonly number[]
  /** The elements are stored one after another in C order. */
  readonly isContiguous: boolean
}

interface Storage {
  readonly key: string
  readonly dtype: FloatDtype | undefined
  /** Number of elements. */
  readonly size: number
}

const floatStorages: ReadonlyMap<string, FloatDtype> = new Map([
  ['torch.FloatStorage', 'float32'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
])

/** Reads ('storage', type, key, device, number of elements), the persistent_id of torch/serialization.py. */
function loadStorage(id: PickleValue): Storage {
  const [kind, type, key, , size] = Array.isArray(id) ? (id as PickleValue[]) : []
  if (kind !== 'storage' || !(type instanceof PickleGlobal) || typeof key !== 'string' || !isCount(size)) {
    throw new PickleError('it refers to something that is not a storage')
  }
  if (!/^torch\.\w+Storage$/.test(type.name)) throw new PickleError(`it has storage of the type ${type.name}`)
  return { key, dtype: floatStorages.get(type.name), size }
}

const isStorage = (value: unknown): value is Storage =>
  typeof value === 'object' && value !== null && 'key' in value && 'size' in value

/** _rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks) of torch/_utils.py. */
function rebuildTensor([storage, offset, shape, strides]: readonly PickleValue[]): StoredView {
  if (!isStorage(storage) || !isCount(offset) || !areCounts(shape) || !areCounts(strides)) {
    throw new PickleError('a tensor is malformed')
  }
  const elements = shape.reduce((product, size) => product * size, 1)
  if (shape.length !== strides.length) throw new PickleError('a tensor is malformed')
  if (offset + elements > storage.size) throw new PickleError('a tensor is larger than its storage')
  return { key: storage.key, dtype: storage.dtype, offset, shape, isContiguous: isContiguous(shape, strides) }
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false
    step *= shape[axis]!
  }
  return true
}

function call(callee: PickleGlobal, args: readonly PickleValue[]): PickleValue {
  switch (callee.name) {
    case 'collections.OrderedDict':
      if (args.length === 0) return new Map()
      break
    case 'torch._utils._rebuild_tensor_v2':
      return rebuildTensor(args)
    case 'torch._utils._rebuild_parameter':
      return args[0]
  }
  throw new PickleError(`it calls ${callee.name}, which state dictionaries do not`)
}

const isStoredView = (value: unknown): value is StoredView =>
  typeof value === 'object' && value !== null && 'isContiguous' in value

/** Reads the tensors of `data.pkl`, by name. @throws PickleError */
export function readStateDict(bytes: Uint8Array): ReadonlyMap<string, StoredView> {
  const value = readPickle(bytes, { call, load: loadStorage })
  if (!(value instanceof Map)) throw new PickleError('it is not a dictionary of tensors')
  const tensors = new Map<string, StoredView>()
  for (const [name, tensor] of value as Map<unknown, unknown>) {
    if (typeof name === 'string' && isStoredView(tensor)) tensors.set(name, tensor)
  }
  return tensors
}
