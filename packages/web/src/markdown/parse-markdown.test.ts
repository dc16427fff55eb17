import type { Nodes } from 'mdast'
import { describe, expect, it } from 'vitest'
import { parseMarkdown } from './parse-markdown.ts'

/** Returns all nodes of a type, in order. */
function all(text: string, type: string): readonly Nodes[] {
  const found: Nodes[] = []
  const visit = (node: Nodes): void => {
    if (node.type === type) found.push(node)
    if ('children' in node) node.children.forEach(visit)
  }
  visit(parseMarkdown(text))
  return found
}
const valuesOf = (text: string, ...types: readonly string[]) =>
  types.flatMap((type) => all(text, type).map((node) => ('value' in node ? node.value : '')))
const formulas = (text: string) => valuesOf(text, 'math', 'inlineMath')
const wordsOf = (node: Nodes): string =>
  'value' in node ? node.value : 'children' in node ? node.children.map(wordsOf).join('') : ''
const words = (text: string, type: string) => all(text, type).map(wordsOf)

describe('formulas', () => {
  it.each([
    ['Euler: $e^{i\\pi}=-1$.', ['e^{i\\pi}=-1']],
    ['Euler: \\(e^{i\\pi}=-1\\).', ['e^{i\\pi}=-1']],
    ['So \\[x = 1\\] holds.', ['x = 1']],
    ['So $$x = 1$$ holds.', ['x = 1']],
    ['the $n$th and the $k$-means, $x$s', ['n', 'k', 'x']],
    ['因为$x=1$所以$y$', ['x=1', 'y']],
    ['عندما $x=1$ فإن', ['x=1']],
    ['**$x$** and *a $y$*', ['x', 'y']],
    ['It costs $5 for $x$', ['x']],
    ['$\\$5$ and $a\\\\$', ['\\$5', 'a\\\\']],
    ['$a\nb$', ['a\nb']],
    ['where \\begin{pmatrix}1\\\\2\\end{pmatrix} is', ['\\begin{pmatrix}1\\\\2\\end{pmatrix}']],
    ['| a |\n|---|\n| $x$ and \\(y\\) |\n| $\\|z\\|$ |', ['x', 'y', '|z|']],
  ])('in a line: %j', (text, expected) => expect(valuesOf(text, 'inlineMath')).toEqual(expected))

  it.each([
    ['\\[\nx = 1\n\\]', 'x = 1'],
    ['$$x = 1$$', 'x = 1'],
    ['$$\nx = 1\n\n- y\n# z\n> q\n$$\n', 'x = 1\n\n- y\n# z\n> q'],
    ['$$ a = b\n+ c $$', 'a = b\n+ c'],
    ['Text:\n$$\nx\n$$\nmore', 'x'],
    ['- item\n  \\[x\\]', 'x'],
    ['1. $$\n   x\n   $$\n2. two', 'x'],
    ['> $$\n> x\n> $$', 'x'],
    ['\\begin{align}\na &= b \\\\\n+ c\n\\end{align}', '\\begin{align}\na &= b \\\\\n+ c\n\\end{align}'],
    [
      '\\begin{align*}\\begin{matrix}a\\end{matrix}\\end{align*}',
      '\\begin{align*}\\begin{matrix}a\\end{matrix}\\end{align*}',
    ],
    ['\\[\n\\begin{cases}\n1\n\\end{cases}\n\\]', '\\begin{cases}\n1\n\\end{cases}'],
    ['$$\nx', 'x'],
    ['\\[\nx\n\ny', 'x\n\ny'],
  ])('on lines of their own: %j', (text, expected) => expect(valuesOf(text, 'math')).toEqual([expected]))

  it('ends with its mark, and the text after it is a paragraph', () => {
    expect(formulas('$$\nx\n$$ where x is')).toEqual(['x'])
    expect(words('$$\nx\n$$ where x is', 'paragraph')).toEqual([' where x is'])
  })

  it.each([
    'It costs $5, not $10.',
    'From $5-$10 a day, $5/$10, ($5)($6), **$5** and **$6**.',
    '$5 to $10, US$20/A$30, $HOME/$USER, A$, B$',
    'US$20/A$30',
    '$HOME/$USER',
    '$HOME$X',
    'A$, B$',
    '$5 or 6$ and $USER, or A$',
    '价格$5和10$之间',
    '$PATH:$HOME "$x"-"$y"',
    'A single $ sign, or $$ of them, or $ $',
    '\\$a$ and \\\\(b\\\\)',
    'Code `$a$` and ``\\[b\\]`` and $a `b$`',
    '$$ is the id of the shell\n\nand $$ again',
    '$a\n\nb$',
    '\\(a\n\nb\\)',
    '\\begin{document}x\\end{document}',
    '[a]($x$)',
    '<https://example.com/$x$>',
  ])('are not in %j', (text) => expect(formulas(text)).toEqual([]))
})

describe('code', () => {
  const code = '$HOME$X \\[a\\] \\(b\\) $$c$$ <sub>d</sub> **「e」**f'
  it.each([
    ['a fence', `\`\`\`sh\n${code}\n\`\`\``, code],
    ['a fence in a list', `- a\n\n  \`\`\`sh\n  ${code}\n  \`\`\``, code],
    ['a fence in a list in a list', `1. a\n   - b\n     ~~~\n     ${code}\n     ~~~`, code],
    ['a fence in a quote', `> \`\`\`\n> ${code}\n> \`\`\``, code],
    ['a fence in a quote in a list', `- > \`\`\`\n  > ${code}\n  > \`\`\``, code],
    ['an open fence', `\`\`\`\n${code}`, code],
    ['indented code', `a\n\n    ${code}\n`, code],
    ['indented code in a list', `- a\n\n      ${code}\n`, code],
    ['a long fence', `\`\`\`\n${`${code}\n`.repeat(200)}\`\`\``, `${code}\n`.repeat(200).trimEnd()],
  ])('keeps every character in %s', (_, text, expected) => {
    expect(valuesOf(text, 'code')).toEqual([expected])
    expect(formulas(text)).toEqual([])
  })

  it('keeps every character in inline code', () => {
    expect(valuesOf(`a \`\`${code}\`\` b ${'x'.repeat(3000)} \`${code}\``, 'inlineCode')).toEqual([
      code,
      code,
    ])
  })
})

describe('text without spaces', () => {
  it.each([
    ['**「重要」**の', 'strong', ['「重要」']],
    ['これは**「重要」**です。**注意：**これ', 'strong', ['「重要」', '注意：']],
    ['这是**“强调”**的，**（注）**和**《书》**。', 'strong', ['（注）', '《书》']],
    ['**テスト(test)**です', 'strong', ['テスト(test)']],
    ['한국어**(강조)**는', 'strong', ['(강조)']],
    ['*「斜体」*の', 'emphasis', ['「斜体」']],
    ['~~「削除」~~の', 'delete', ['「削除」']],
    ['**a**b and a**b**c, 2 * 3 * 4, snake_case_name', 'strong', ['a', 'b']],
    ['** a **', 'strong', []],
  ])('has emphasis: %j', (text, type, expected) => {
    const found = words(text, type)
    expect(found).toEqual(expect.arrayContaining([...expected]))
    if (expected.length === 0) expect(found).toEqual([])
  })

  it.each([
    ['https://example.com。谢谢', 'https://example.com'],
    ['见https://example.com/a，谢谢', 'https://example.com/a'],
    ['（https://example.com）', 'https://example.com'],
    ['(https://example.com/a_(b))。', 'https://example.com/a_(b)'],
    ['「https://example.com/?q=1」と', 'https://example.com/?q=1'],
    ['“https://example.com” and', 'https://example.com'],
    ['https://example.com、https', 'https://example.com'],
    ['www.example.com。谢谢', 'http://www.example.com'],
    ['**https://example.com**。谢', 'https://example.com'],
    ['请访问https://example.com查看', 'https://example.com'],
    ['https://zh.wikipedia.org/wiki/汉字。', 'https://zh.wikipedia.org/wiki/汉字'],
    ['https://例子.中国/路径 好', 'https://例子.中国/路径'],
    ['[https://example.com。谢谢', 'https://example.com'],
    ['https://example.com، شكرا', 'https://example.com'],
    ['a@example.com。谢谢', 'mailto:a@example.com'],
    ['https://example.com/a. Then', 'https://example.com/a'],
  ])('ends addresses: %j', (text, expected) =>
    expect(all(text, 'link').map((node) => 'url' in node && node.url)).toEqual([expected]),
  )
})

describe('HTML', () => {
  it.each([
    ['H<sub>2</sub>O', 'sub', '2'],
    ['x<SUP>2</sup>', 'sup', '2'],
    ['<kbd>Ctrl</kbd>+<kbd>C</kbd>', 'kbd', 'Ctrl'],
    ['<u>**a** b</u>', 'u', 'a b'],
    ['<mark>`a`</mark>', 'mark', 'a'],
    ['<ins>a</ins> <del>b</del>', 'ins', 'a'],
    ['<sub>\na</sub>', 'sub', '\na'],
  ])('%j is rendered', (text, name, inside) => {
    const [element] = all(text, 'htmlElement')
    expect(element).toMatchObject({ name })
    expect(wordsOf(element!)).toBe(inside)
  })

  it('breaks lines, even in tables and alone on a line', () => {
    expect(all('a<br>b<br/>c<BR />d', 'break')).toHaveLength(3)
    expect(all('| a |\n|---|\n| b<br>c |', 'break')).toHaveLength(1)
    expect(all('<br>\n\na', 'break')).toHaveLength(1)
  })

  it.each([
    ['<details>\n<summary>**S**</summary>\n\nBody\n\n- a\n\n</details>\n\nafter', 'S', 'Body'],
    ['<details open><summary>S</summary>Body</details>', 'S', 'Body'],
    ['<details>\n<summary>\nS\n</summary>\nBody\n</details>', 'S', 'Body'],
    ['- a\n  <details>\n  <summary>S</summary>\n\n  Body\n\n  </details>', 'S', 'Body'],
    ['<details>\n<summary>S</summary>\n\nBody, still being written', 'S', 'Body'],
  ])('%j folds', (text, summary, body) => {
    expect(words(text, 'summary').map((found) => found.trim())).toEqual([summary])
    const [details] = all(text, 'details')
    expect(details).toMatchObject({ open: text.includes('open') })
    expect(wordsOf(details!)).toContain(body)
    expect(wordsOf(details!)).not.toContain('after')
  })

  it.each([
    '<sub>a',
    'a</sub>',
    '*<u>a*</u>',
    '<sub class="x">a</sub>',
    '<kbd onclick=alert(1)>a</kbd>',
    '<br clear=all>',
    '</br>',
    '<details ontoggle=alert(1)>a</details>',
    '<summary>a</summary>',
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<!-- a -->',
    '<div>\n\n<b>a</b>\n\n</div>',
    '<svg><sub></svg>',
  ])('%j stays text', (text) => {
    expect(all(text, 'htmlElement')).toEqual([])
    expect(all(text, 'details')).toEqual([])
    expect(wordsOf(parseMarkdown(text)).replaceAll(/[\n*]/g, '')).toBe(text.replaceAll(/[\n*]/g, ''))
  })
})

it('parses hostile text quickly', () => {
  const units = [
    '$a ',
    '$$a ',
    '\\(',
    '\\[',
    '`',
    '$$',
    '$\\',
    '``` ',
    '\\begin{align}',
    '\n$$ x=',
    '\n\\[ x',
  ]
  const more = [
    '<sub>',
    '</sub>',
    '<details>',
    '\n<details>',
    '**「',
    'https://a.b)',
    'www.a',
    '[https://a.b。',
  ]
  for (const unit of [...units, ...more]) {
    const begin = performance.now()
    parseMarkdown(unit.repeat(4000))
    expect(performance.now() - begin, unit).toBeLessThan(20_000)
  }
})
