import { describe, expect, it } from 'vitest'
import { ReasoningSplitter } from './reasoning-splitter.ts'

/** Pushes the text in pieces that end at `cuts`. */
function split(text: string, cuts: readonly number[], open = false) {
  const splitter = new ReasoningSplitter({ open })
  const borders = [0, ...cuts, text.length]
  const pieces = borders.slice(1).map((end, index) => splitter.push(text.slice(borders[index], end)))
  const all = [...pieces, splitter.finish()]
  return {
    reasoning: all.map(({ reasoning }) => reasoning).join(''),
    content: all.map(({ content }) => content).join(''),
  }
}

const cases: readonly (readonly [
  name: string,
  text: string,
  open: boolean,
  reasoning: string,
  content: string,
])[] = [
  ['thoughts, then an answer', '<think>\nHm. 1 < 2.</think>\n\nYes.', false, 'Hm. 1 < 2.', 'Yes.'],
  ['no thoughts', 'Yes, <think> is a tag.', false, '', 'Yes, <think> is a tag.'],
  ['an answer that begins like a tag', '<thing> is XML', false, '', '<thing> is XML'],
  ['an answer of white space', '  \n', false, '', '  \n'],
  ['a prompt that opened the thoughts', 'Hm.</think>Yes.', true, 'Hm.', 'Yes.'],
  ['thoughts that never end', '<think>Hm. </thin', false, 'Hm. </thin', ''],
  ['thoughts without an answer', '<think></think>\n', false, '', ''],
  [
    'a second pair of tags, which belongs to the answer',
    '<think>a</think>b<think>c</think>',
    false,
    'a',
    'b<think>c</think>',
  ],
]

describe('ReasoningSplitter', () => {
  it.each(cases)('%s, however it is cut', (_name, text, open, reasoning, content) => {
    expect(split(text, [], open)).toEqual({ reasoning, content })
    for (let cut = 1; cut < text.length; cut++)
      expect(split(text, [cut], open)).toEqual({ reasoning, content })
    const everywhere = Array.from({ length: text.length - 1 }, (_, index) => index + 1)
    expect(split(text, everywhere, open)).toEqual({ reasoning, content })
  })

  it('holds nothing back once the model does not begin with thoughts', () => {
    const splitter = new ReasoningSplitter({ open: false })
    expect(splitter.push('<')).toEqual({ reasoning: '', content: '' })
    expect(splitter.push('b>')).toEqual({ reasoning: '', content: '<b>' })
    expect(splitter.push('<')).toEqual({ reasoning: '', content: '<' })
  })
})
