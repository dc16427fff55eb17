/** Values of msgpack in hivemind's dialect (`hivemind/utils/serializer.py`): text as str, bytes as bin, and three extension types. */

/** Python's tuple. Decoded tuples are plain arrays. Petals also accepts an array where it expects a tuple. */
export class Tuple {
  readonly items: readonly MsgpackInput[]

  constructor(items: readonly MsgpackInput[]) {
    this.items = items
  }
}

/** A float64, even if the value is whole: Python distinguishes 1.0 from 1. */
export class Float {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** What a server says of its tensors in `rpc_info` (`BatchTensorDescriptor` in `hivemind/utils/tensor_descr.py`). Decoded ones are maps. */
export class TensorDescriptor {
  readonly fields: ReadonlyMap<MsgpackInput, MsgpackInput>

  constructor(fields: ReadonlyMap<MsgpackInput, MsgpackInput>) {
    this.fields = fields
  }
}

/** The value of a DHT key with subkeys (`DictionaryDHTValue` in `hivemind/dht/storage.py`). */
export class DhtDictionary {
  readonly entries: readonly DhtDictionaryEntry[]

  constructor(entries: readonly DhtDictionaryEntry[]) {
    this.entries = entries
  }
}

export interface DhtDictionaryEntry {
  readonly subkey: MsgpackValue
  /** msgpack of the subkey's value. */
  readonly value: Uint8Array
  /** Unix seconds. */
  readonly expirationTime: number
}

export type MsgpackValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | DhtDictionary
  | readonly MsgpackValue[]
  | ReadonlyMap<MsgpackValue, MsgpackValue>

export type MsgpackInput =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | DhtDictionary
  | TensorDescriptor
  | Tuple
  | Float
  | readonly MsgpackInput[]
  | ReadonlyMap<MsgpackInput, MsgpackInput>

/** Extension types of the dialect. */
export const extensions = { tuple: 0x40, dictionary: 0x50, tensorDescriptor: 0x51 } as const
