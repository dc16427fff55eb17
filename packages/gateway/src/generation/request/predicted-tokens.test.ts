import { describe, expect, it } from 'vitest'
import { scriptedTokenizer } from '@petals-chat/engine/testing'
import { predictedTokens } from './predicted-tokens.ts'

const model = { tokenizer: scriptedTokenizer, contextLength: 10 }
const encode = (text: string) => scriptedTokenizer.encode(text)

describe('predictedTokens', () => {
  it('takes a text, or the parts of one', () => {
    expect(predictedTokens({ type: 'content', content: 'abc' }, model)).toEqual(encode('abc'))
    const content = [
      { type: 'text', text: 'ab' },
      { type: 'text', text: 'c' },
    ] as const
    expect(predictedTokens({ type: 'content', content: [...content] }, model)).toEqual(encode('abc'))
    expect(predictedTokens(null, model)).toBeUndefined()
    expect(predictedTokens(undefined, model)).toBeUndefined()
  })

  it('leaves out what no answer has room for, also where a token is cut', () => {
    expect(predictedTokens({ type: 'content', content: 'ü'.repeat(1_000_000) }, model)).toEqual(
      encode('üüüüü').slice(0, 10),
    )
  })
})
