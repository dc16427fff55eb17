/**
 * msgpack in hivemind's dialect (`hivemind/utils/serializer.py`): text as str, bytes as bin, and three extension types.
 */
/** Python's tuple. Decoded tuples are plain arrays; Petals takes arrays where it expects tuples, too. */
export class Tuple {
  readonly items: readonly MsgpackInput[]

  constructor(items: readonly MsgpackInput[]) {
    this.items = items
  }
}

/** A float64, also where the value is whole: Python tells 1.0 from 1. */
export class Float {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** hivemind's DictionaryDHTValue: what a DHT key with subkeys holds. */
export class DhtDictionary {
  readonly entries: readonly DhtDictionaryEntry[]

  constructor(entries: readonly DhtDictionaryEntry[]) {
    this.entries = entries
  }
}

export interface DhtDictionaryEntry {
  readonly subkey: MsgpackValue
  /** msgpack again. */
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
  | Tuple
  | Float
  | readonly MsgpackInput[]
  | ReadonlyMap<MsgpackInput, MsgpackInput>

/** Extension types of the dialect. */
export const extensions = { tuple: 0x40, dictionary: 0x50, tensorDescriptor: 0x51 } as const
