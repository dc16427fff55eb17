import { describe, expect, it } from 'vitest'
import { mixedStrings } from '../testing/mixed-strings.ts'
import { preTokenizer, preTokenizerNames } from './pre-tokenizers.ts'

describe('preTokenizer', () => {
  const texts = mixedStrings(200)

  for (const name of preTokenizerNames) {
    it(`${name} splits a text into words whose concatenation is the text`, () => {
      const { splits } = preTokenizer(name)
      for (const text of texts) {
        const words = splits.reduce((pieces, split) => pieces.flatMap(split), [text])
        expect(words.join('')).toBe(text)
        expect(words).not.toContain('')
      }
    })
  }

  it('groups digits by three from the right', () => {
    const [split] = preTokenizer('tiny_aya').splits
    expect(split!('1234567')).toEqual(['1', '234', '567'])
    expect(split!('123 and 45678.')).toEqual(['123', ' and 45', '678', '.'])
  })
})
