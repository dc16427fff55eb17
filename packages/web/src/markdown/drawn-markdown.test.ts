import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { DrawnMarkdown } from './drawn-markdown.tsx'

const drawn = (text: string): string => renderToStaticMarkup(createElement(DrawnMarkdown, { text }))

describe('drawn Markdown', () => {
  it.each(['$$\n', '$$\n$$', '\\[\n', '```math\n', '``` \n'])(
    'has no words for what is still empty: %j',
    (text) => {
      expect(
        drawn(text)
          .replaceAll(/<[^>]*>/g, '')
          .trim(),
      ).toMatch(/^(?:Copy|)$/)
    },
  )

  it('has buttons for footnotes, and none for a model’s own anchors', () => {
    const html = drawn('See [above](#intro), [here](#root) and [^1].\n\n[^1]: A note.')
    expect(html).toContain('<span>above</span>')
    expect(html).toContain('<span>here</span>')
    expect(html.match(/class="footnote-link"/g)).toHaveLength(2)
  })

  it.each([
    ['https://example.com/a', true],
    ['<https://example.com>', true],
    ['www.example.com', true],
    ['a@example.com', true],
    ['[example.com/a](https://example.com/a/)', true],
    ['[ple.com](https://example.com)', false],
    ['[example.com](https://evil.example.com)', false],
    ['[m](https://example.com)', false],
  ])('detects whether the text of a link is its address: %s', (text, isAddress) => {
    expect(drawn(text).includes('class="address-link"')).toBe(isAddress)
  })
})
