import type { FloatDtype } from '../../tensor/dtype.ts'
import { PickleError, PickleGlobal, readPickle, type PickleValue } from './pickle.ts'

/** A tensor of a state dictionary: a view into one of the arrays that lie beside the pickle. */
export interface StoredView {
  /** Name of the array. */
  readonly key: string
  /** Undefined for types that weights do not have (integers, booleans). */
  readonly dtype: FloatDtype | undefined
  /** Of the first element in the array, in elements. */
  readonly offset: number
  readonly shape: readonly number[]
  /** Whether the elements lie one after another in C order. */
  readonly isContiguous: boolean
}

interface Storage {
  readonly key: string
  readonly dtype: FloatDtype | undefined
  /** In elements. */
  readonly size: number
}

const floatStorages: ReadonlyMap<string, FloatDtype> = new Map([
  ['torch.FloatStorage', 'float32'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
])

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const areCounts = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isCount)

/** ('storage', type, key, device, number of elements): torch/serialization.py, persistent_id. */
function loadStorage(id: PickleValue): Storage {
  const [kind, type, key, , size] = Array.isArray(id) ? (id as PickleValue[]) : []
  if (kind !== 'storage' || !(type instanceof PickleGlobal) || typeof key !== 'string' || !isCount(size)) {
    throw new PickleError('it refers to something that is no storage')
  }
  if (!/^torch\.\w+Storage$/.test(type.name)) throw new PickleError(`it has storage of the type ${type.name}`)
  return { key, dtype: floatStorages.get(type.name), size }
}

const isStorage = (value: unknown): value is Storage =>
  typeof value === 'object' && value !== null && 'key' in value && 'size' in value

/** torch/_utils.py: _rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks). */
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
  throw new PickleError(`it calls ${callee.name}, which is not called here`)
}

const isStoredView = (value: unknown): value is StoredView =>
  typeof value === 'object' && value !== null && 'isContiguous' in value

/** The tensors of `data.pkl`, by name. @throws PickleError */
export function readStateDict(bytes: Uint8Array): ReadonlyMap<string, StoredView> {
  const value = readPickle(bytes, { call, load: loadStorage })
  if (!(value instanceof Map)) throw new PickleError('it is no dictionary of tensors')
  const tensors = new Map<string, StoredView>()
  for (const [name, tensor] of value as Map<unknown, unknown>) {
    if (typeof name === 'string' && isStoredView(tensor)) tensors.set(name, tensor)
  }
  return tensors
}
