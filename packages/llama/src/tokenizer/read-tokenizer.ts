import type { AbortOptions, Tokenizer } from '@petals-chat/engine'
import type { GgufHeader } from '../gguf/gguf-header.ts'
import { describeGgufError, readGguf } from '../gguf/read-gguf.ts'
import { GgufTokenizer } from './gguf-tokenizer.ts'

/**
 * Reads the tokenizer of a GGUF file, without its weights.
 * @throws ModelUnavailableError for a file that can't be read, or a vocabulary that is damaged or of an unknown kind
 */
export async function readGgufTokenizer(path: string, options: AbortOptions = {}): Promise<Tokenizer> {
  return createTokenizer(path, (await readGguf(path, options)).header)
}

/** @throws ModelUnavailableError for a vocabulary that is damaged or of an unknown kind */
export function createTokenizer(path: string, header: GgufHeader): GgufTokenizer {
  try {
    return new GgufTokenizer(header)
  } catch (error) {
    throw describeGgufError(path, error)
  }
}
