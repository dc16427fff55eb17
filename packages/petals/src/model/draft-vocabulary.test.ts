import { describe, expect, it } from 'vitest'
import { scriptedTokenizer } from '@petals-chat/engine/testing'
import type { Tokenizer } from '@petals-chat/engine'
import { requireSameTokens } from './draft-vocabulary.ts'

/** A vocabulary of texts, or of bytes that are no text; undefined is a control token of that name. */
function vocabularyOf(tokens: readonly (string | Uint8Array | { readonly control: string })[]): Tokenizer {
  const bytes = tokens.map((token) =>
    typeof token === 'string' ? Buffer.from(token) : token instanceof Uint8Array ? token : undefined,
  )
  return {
    ...scriptedTokenizer,
    vocabSize: tokens.length,
    bytesOf: (token) => bytes[token],
    decode: ([token = 0]) => {
      const found = tokens[token]!
      return typeof found === 'object' && 'control' in found
        ? found.control
        : new TextDecoder().decode(bytes[token])
    },
  }
}

const [first, second] = [Uint8Array.of(0xe4), Uint8Array.of(0xe5)]
const tokens = [{ control: '<s>' }, 'a', ' the', first, second]
const many = Array.from({ length: 2000 }, (_, i) => `t${i}`)

describe('the vocabulary of a draft model', () => {
  it.each([
    ['the same', tokens],
    ['longer', [...tokens, 'more']],
  ])('may be %s', async (_kind, draft) => {
    await expect(requireSameTokens(vocabularyOf(tokens), vocabularyOf(draft))).resolves.toBeUndefined()
  })

  it('may lack what fills the vocabulary of the model', async () => {
    const padded = vocabularyOf([...tokens, '', ''])
    await expect(requireSameTokens(padded, vocabularyOf(tokens))).resolves.toBeUndefined()
  })

  it.each([
    [
      'another text',
      [{ control: '<s>' }, 'b', ' the', first, second],
      'token 1 is "b" there, and "a" in the model',
    ],
    [
      'another control token',
      [{ control: '<|s|>' }, ...tokens.slice(1)],
      'token 0 is "<|s|>" there, and "<s>"',
    ],
    ['other bytes that are no text', [...tokens.slice(0, 3), second, first], 'token 3 is'],
    ['no token', tokens.slice(0, 2), 'token 2 is missing there, and " the" in the model'],
  ])('is refused for %s, by the id', async (_kind, draft, message) => {
    await expect(requireSameTokens(vocabularyOf(tokens), vocabularyOf(draft))).rejects.toThrow(message)
  })

  it('is compared to its last token', async () => {
    const other = [...many.slice(0, -1), 'other']
    await expect(requireSameTokens(vocabularyOf(many), vocabularyOf(other))).rejects.toThrow(
      'token 1999 is "other"',
    )
  })
})
