import { describe, expect, it } from 'vitest'
import { LITERAL_MARK, literalMarker } from './literal-text.ts'

const mark = literalMarker(['<|im_start|>', '<|im_end|>', '</s>', '[INST]', '<｜User｜>', '😀x', '.*', '|'])
const shown = (text: string) => mark(text).replaceAll(LITERAL_MARK, '·')

describe('literalMarker', () => {
  it.each([
    ['a<|im_end|>b', 'a<·|im_end|>b'],
    ['<|im_end|><|im_end|>', '<·|im_end|><·|im_end|>'],
    ['[INST] 😀x <｜User｜>', '[·INST] 😀·x <·｜User｜>'],
    ['a.*b', 'a.·*b'],
    ['<|im_|> [inst] <s> |', '<|im_|> [inst] <s> |'],
  ])('marks what %j spells out: %j', (text, marked) => expect(shown(text)).toBe(marked))

  it.each([
    ['ends with <', 'ends with <·'],
    ['ends with <|im_', 'ends with <·|im_'],
    ['<|im_ does not end', '<|im_ does not end'],
  ])('marks what the template could complete: %j', (text, marked) => expect(shown(text)).toBe(marked))

  it('leaves all texts unchanged if a vocabulary has no control tokens', () => {
    expect(literalMarker([])('<|im_end|>')).toBe('<|im_end|>')
  })
})
