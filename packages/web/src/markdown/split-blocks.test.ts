import { describe, expect, it } from 'vitest'
import { fencedCode, splitBlocks } from './split-blocks.ts'

describe('splitBlocks', () => {
  it.each([
    ['a\n\nb\n', ['a\n\n', 'b\n']],
    ['a\nb', ['a\nb']],
    ['a:\n```js\nx\n\ny\n```\nb', ['a:\n', '```js\nx\n\ny\n```\n', 'b']],
    ['````\n```\n\n```\n````\n\nb', ['````\n```\n\n```\n````\n', '\nb']],
    ['- a\n\n- b\n\n  more\n\nc', ['- a\n\n- b\n\n  more\n\n', 'c']],
    ['1. a\n```\nx\n```\n2. b', ['1. a\n```\nx\n```\n2. b']],
    ['$$\nx\n\ny\n$$\n\nb', ['$$\nx\n\ny\n$$\n\n', 'b']],
    ['\\[\nx\n\ny\n\\]\n\nb', ['\\[\nx\n\ny\n\\]\n\n', 'b']],
    ['a\n\n    code\n\nb', ['a\n\n    code\n\n', 'b']],
    ['[a]\n\n[a]: https://example.org', ['[a]\n\n[a]: https://example.org']],
    ['', []],
  ])('cuts %j', (text, blocks) => {
    expect(splitBlocks(text)).toEqual(blocks)
    expect(splitBlocks(text).join('')).toBe(text)
  })

  it('never changes a block but the last one, while the text grows', () => {
    const text = 'Intro\n\n```js\nconst a = 1\n\nconst b = 2\n```\nOutro\n\n- one\n\n- two\n\nEnd **bold**\n'
    let before: readonly string[] = []
    for (let length = 1; length <= text.length; length++) {
      const blocks = splitBlocks(text.slice(0, length))
      const settled = before.slice(0, -1)
      // A cut may be taken back only for the block that was growing.
      expect(blocks.slice(0, Math.min(settled.length, blocks.length - 1))).toEqual(
        settled.slice(0, Math.min(settled.length, blocks.length - 1)),
      )
      before = blocks
    }
  })
})

describe('fencedCode', () => {
  it.each([
    ['```js\nlet a\n```\n', { language: 'js', code: 'let a' }],
    ['```js\nlet a\n\nlet b', { language: 'js', code: 'let a\n\nlet b' }],
    ['~~~\n```\n~~~', { language: '', code: '```' }],
    ['```js {1,2}\n```', { language: 'js', code: '' }],
    ['````\n```\n````', { language: '', code: '```' }],
  ])('reads %j', (block, expected) => expect(fencedCode(block)).toEqual(expected))

  it.each(['a', '```js', '`` a ``', '  ```\na\n```'])('leaves %j to the parser', (block) =>
    expect(fencedCode(block)).toBeUndefined(),
  )
})
