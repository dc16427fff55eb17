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

  it('marks each of the many control tokens of a model for speech', () => {
    const names = Array.from({ length: 2 ** 17 }, (_, index) => `<|audio_${index}|>`)
    const markSpeech = literalMarker(names)
    for (const name of names.filter((_, index) => index % 1009 === 0))
      expect(markSpeech(`a ${name} b`)).toBe(`a <${LITERAL_MARK}${name.slice(1)} b`)
    for (const text of ['<|audio_131072|>.', '<|audio_01|>', '<'.repeat(10) + '.'])
      expect(markSpeech(text)).toBe(text)
    expect(markSpeech('<|audio_131')).toBe(`<${LITERAL_MARK}|audio_131`)
  })
})
