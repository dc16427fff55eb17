import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scriptedTokenizer, specialToken } from '../testing/scripted-tokenizer.ts'
import type { TokenId, Tokenizer } from '../tokenizer.ts'
import { Detokenizer } from './detokenizer.ts'

/** A tokenizer whose tokens are any bytes: pieces of characters, several characters, half a character after a whole one. */
function byteTokenizer(vocabulary: readonly Uint8Array[]): Tokenizer {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return {
    vocabSize: vocabulary.length,
    bosToken: undefined,
    eosTokens: new Set(),
    controlTexts: [],
    encode: () => [],
    decode: (tokens) => decoder.decode(Uint8Array.from(tokens.flatMap((token) => [...vocabulary[token]!]))),
  }
}

function stream(tokenizer: Tokenizer, tokens: readonly TokenId[], skipSpecialTokens = false) {
  const detokenizer = new Detokenizer(tokenizer, { skipSpecialTokens })
  const pieces = tokens.flatMap((token) => detokenizer.push({ token }) ?? [])
  const rest = detokenizer.flush()
  return rest ? [...pieces, rest] : pieces
}

const joined = (pieces: readonly { text: string }[]) => pieces.map(({ text }) => text).join('')

describe('Detokenizer', () => {
  it('streams whole characters: never U+FFFD for valid text', () => {
    const text = fc.string({ unit: 'binary' }).map((any) => any.toWellFormed().replaceAll('\uFFFD', '?'))
    fc.assert(
      fc.property(text, (valid) => {
        const pieces = stream(scriptedTokenizer, [...new TextEncoder().encode(valid)])
        expect(joined(pieces)).toBe(valid)
        expect(pieces.map((piece) => piece.text)).toEqual([...valid])
      }),
    )
  })

  it('streams the same text that decoding at once gives, for any bytes in any tokens', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 5 }),
      fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 2 })
        .map((text) => new TextEncoder().encode(text)),
      fc.constantFrom(...[...new TextEncoder().encode('é你🌍')].map((byte) => Uint8Array.of(byte))),
    )
    const vocabulary = fc.array(bytes, { minLength: 1, maxLength: 30 })
    const picks = fc.array(fc.nat(), { maxLength: 60 })
    fc.assert(
      fc.property(vocabulary, picks, (pieces, indices) => {
        const tokenizer = byteTokenizer(pieces)
        const tokens = indices.map((index) => index % pieces.length)
        const streamed = stream(tokenizer, tokens)
        expect(joined(streamed)).toBe(tokenizer.decode(tokens))
        expect(streamed.flatMap((piece) => piece.tokens.map(({ token }) => token))).toEqual(tokens)
      }),
      { numRuns: 500 },
    )
  })

  it('skips control tokens without breaking the characters around them', () => {
    const token = fc.oneof(
      fc.constantFrom(...new TextEncoder().encode('é你🌍a')),
      fc.nat(scriptedTokenizer.vocabSize - 1),
      fc.constant(specialToken('</s>')),
    )
    fc.assert(
      fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
        const streamed = stream(scriptedTokenizer, tokens, true)
        expect(joined(streamed)).toBe(scriptedTokenizer.decode(tokens, { skipSpecialTokens: true }))
        expect(streamed.flatMap((piece) => piece.tokens.map((generated) => generated.token))).toEqual(tokens)
      }),
      { numRuns: 500 },
    )
  })

  it('decodes each token a bounded number of times, however broken the text is', () => {
    for (const tokens of [
      Array(5000).fill(0x61),
      Array(5000).fill(0xff),
      Array(5000).fill(0x80),
      [0xe4, ...Array(5000).fill(258)],
    ]) {
      let decoded = 0
      const counting: Tokenizer = {
        ...scriptedTokenizer,
        decode: (ids, options) => {
          decoded += ids.length
          return scriptedTokenizer.decode(ids, options)
        },
      }
      stream(counting, tokens as number[], true)
      expect(decoded).toBeLessThan(5000 * 25)
    }
  })

  it('turns an incomplete character into U+FFFD only at the end', () => {
    const detokenizer = new Detokenizer(scriptedTokenizer)
    expect(detokenizer.push({ token: 0xe4 })).toBeUndefined()
    expect(detokenizer.push({ token: 0xbd })).toBeUndefined()
    expect(detokenizer.flush()?.text).toBe('\uFFFD')
    expect(detokenizer.flush()).toBeUndefined()
  })
})
