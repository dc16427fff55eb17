/**
 * msgpack in hivemind's dialect (`hivemind/utils/serializer.py`): text as str, bytes as bin, and three extension types.
 */
export { decodeMsgpack } from './msgpack-decode.ts'
export { encodeMsgpack } from './msgpack-encode.ts'
export { DhtDictionary, Float, Tuple } from './msgpack-values.ts'
export type { DhtDictionaryEntry, MsgpackInput, MsgpackValue } from './msgpack-values.ts'
