/**
 * The header of a GGUF file, read and checked in TypeScript: for programs that read the weights themselves.
 *
 * @packageDocumentation
 */
export { GgufFormatError, MoreBytesNeeded } from './gguf/byte-reader.ts'
export { parseGgufHeader, type GgufHeader, type GgufTensor } from './gguf/gguf-header.ts'
export type { GgufArray, GgufValue } from './gguf/gguf-value.ts'
export { tensorTypes, type TensorType } from './gguf/tensor-types.ts'
