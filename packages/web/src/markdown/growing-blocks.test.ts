import fc from 'fast-check'
import type { Nodes } from 'mdast'
import { describe, expect, it, vi } from 'vitest'
import { GrowingBlocks } from './growing-blocks.ts'
import { parseMarkdown } from './parse-markdown.ts'

const blocksOf = (text: string) => new GrowingBlocks().update(text)
const textsOf = (text: string) => blocksOf(text).map((block) => block.text)

/** A tree without positions, which differ in a part of a text, and with joined text nodes. */
function shape(node: Nodes): unknown {
  const { position: _, data: __, ...rest } = node
  if (!('children' in rest)) return rest
  return { ...rest, children: (rest.children as Nodes[]).map(shape) }
}
const drawn = (text: string) => blocksOf(text).flatMap(({ nodes }) => nodes.map(shape))
const whole = (text: string) => parseMarkdown(text).children.map(shape)

/** Lines of every kind of block, and marks that begin, end or interrupt a block. */
const line = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('', '', 'a', 'some *words* and $x$', 'b  ', '   c', '    code', '\tcode'),
  },
  fc.constantFrom(
    '- a',
    '-',
    '* b',
    '1. c',
    '2.',
    '10) d',
    '  - e',
    '   more',
    '- [x] done',
    '- ```',
    '1. $$',
  ),
  fc.constantFrom('> q', '>', '> - r', '> ```', '> $$', '> # h'),
  fc.constantFrom('```', '```js', '````', '~~~', '  ```', '# h', '## ', '---', '***', '===', '--'),
  fc.constantFrom(
    '$$',
    '$$ x = 1',
    'y $$',
    '$$ z $$ rest',
    '\\[',
    '\\]',
    '\\] end',
    '\\begin{align}',
    '\\end{align}',
  ),
  fc.constantFrom('| a | b |', '|---|---|', '| $x$ | `|` |', 'a | b'),
  fc.constantFrom(
    '<div>',
    '</div>',
    '<br>',
    '<!-- a',
    '-->',
    '<script>',
    '<pre>',
    'a <sub>b</sub> c',
    '<kbd>',
  ),
  fc.constantFrom('<details>', '<details open><summary>s</summary>', '<summary>', '</summary>', '</details>'),
  fc.constantFrom(
    '[^1]',
    '[^1]: note',
    '[a]',
    '[a]: /url',
    "'title'",
    '> [b]: /x',
    '[b]',
    '[^1]:',
    '    note',
  ),
  fc.constantFrom(
    'https://example.com。a',
    '**「x」**y',
    '\\',
    '`',
    '``',
    '*a',
    '_b_',
    '~~c~~',
    '[',
    '](x)',
    '&amp;',
  ),
)
const markdown = fc.array(line, { maxLength: 14 }).map((lines) => lines.join('\n'))

describe('the blocks of a text', () => {
  it('together render like the whole text', () => {
    fc.assert(
      fc.property(markdown, (text) => {
        expect(textsOf(text).join('')).toBe(text)
        expect(drawn(text)).toEqual(whole(text))
      }),
      { numRuns: 500 },
    )
  })

  it('are the same whether the text arrived at once or grew', () => {
    fc.assert(
      fc.property(markdown, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }), (text, steps) => {
        const growing = new GrowingBlocks()
        for (let length = 0, step = 0; length < text.length; step++) {
          length += steps[step % steps.length]!
          const part = text.slice(0, length)
          const blocks = growing.update(part)
          expect(blocks.map((block) => block.text).join('')).toBe(part)
          expect(
            blocks.flatMap(({ nodes }) => nodes.map(shape)),
            JSON.stringify(part),
          ).toEqual(whole(part))
        }
      }),
      { numRuns: Number(process.env['RUNS'] ?? 200) },
    )
  })

  it.each([
    ['a\n\nb\n', ['a\n\n', 'b\n']],
    ['a:\n```js\nx\n\ny\n```\nb', ['a:\n', '```js\nx\n\ny\n```\n', 'b']],
    ['- a\n\n- b\n\n  more\n\nc', ['- a\n\n- b\n\n  more\n\n', 'c']],
    ['$$\nx\n\ny\n$$\n\nb', ['$$\nx\n\ny\n$$\n\n', 'b']],
    ['[a]\n\n[a]: https://example.org', ['[a]\n\n[a]: https://example.org']],
    ['a\n\n<details>\n\nb\n\n</details>\n\nc', ['a\n\n', '<details>\n\nb\n\n</details>\n\n', 'c']],
    ['$$\n\n$$ x = 1\nb\n\nc', ['$$\n\n$$ x = 1\n', 'b\n\n', 'c']],
    ['', []],
  ])('divide %j', (text, blocks) => expect(textsOf(text)).toEqual(blocks))

  it('that are complete stay the same objects, so that they are not rendered again', () => {
    const growing = new GrowingBlocks()
    const [first, second] = growing.update('# One\n\nTwo\n\nThr')
    const after = growing.update('# One\n\nTwo\n\nThree\n\n- four')
    expect(after[0]).toBe(first)
    expect(after[1]).toBe(second)
    expect(after.map(({ text }) => text)).toEqual(['# One\n\n', 'Two\n\n', 'Three\n\n', '- four'])
  })

  it('are not examined again while the text grows, however many there are', () => {
    const looks = (paragraphs: number): number => {
      const growing = new GrowingBlocks()
      const text = 'Words.\n\n'.repeat(paragraphs)
      growing.update(`${text}En`)
      const stringify = vi.spyOn(JSON, 'stringify')
      growing.update(`${text}End`)
      const { length } = stringify.mock.calls
      stringify.mockRestore()
      return length
    }
    expect(looks(200)).toBe(looks(3))
  })

  it('are the same list while the text is the same, so that nothing is rendered or timed', () => {
    const growing = new GrowingBlocks()
    expect(growing.update('One\n\nTwo')).toBe(growing.update('One\n\nTwo'))
  })

  it('extend growing code without a parser', () => {
    const growing = new GrowingBlocks()
    const text = '````js\n```\nlet a\n\nlet b = "$x$"\n````\n\nEnd'
    for (let length = 1; length <= text.length; length++) growing.update(text.slice(0, length))
    expect(growing.update(text).flatMap(({ nodes }) => nodes.map(shape))).toEqual(whole(text))
  })
})
