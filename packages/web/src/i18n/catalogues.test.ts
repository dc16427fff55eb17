import { parseAst } from 'vite'
import { describe, expect, it } from 'vitest'
import type { Texts } from './en.ts'
import { languages, type Language } from './languages.ts'

const load = (language: Language) => languages[language].load()
const others = (Object.keys(languages) as Language[]).filter((language) => language !== 'en')

/** Numbers that are easy to find in a text; all of them take the plural form. */
const marks = [137, 259, 381]
const counts = { added: 137, updated: 259, unchanged: 381 }

/** Fills a text with marks as arguments. */
function filled(texts: Texts, key: keyof Texts): string {
  const text: unknown = texts[key]
  if (typeof text !== 'function') return String(text)
  if (key === 'imported') return texts.imported(counts)
  return String((text as (...values: readonly number[]) => unknown)(...marks))
}

const marksIn = (text: string) => marks.filter((mark) => text.includes(String(mark)))

describe.each(others)('the catalogue %s', async (language) => {
  const [en, other] = await Promise.all([load('en'), load(language)])
  const keys = Object.keys(en) as (keyof Texts)[]

  it('has exactly the keys of the English one', () => {
    expect(Object.keys(other).toSorted()).toEqual(keys.toSorted())
  })

  it.each(keys)('%s uses the same arguments', (key) => {
    expect(typeof other[key]).toBe(typeof en[key])
    expect(filled(other, key).trim()).not.toBe('')
    expect(marksIn(filled(other, key))).toEqual(marksIn(filled(en, key)))
  })

  it.each([0, 1, 2])('no text is missing for the count %d', (count) => {
    for (const key of keys) {
      const text: unknown = other[key]
      if (typeof text !== 'function' || key === 'imported') continue
      const words = String((text as (...values: readonly number[]) => unknown)(count, count, count))
      expect(words, key).toMatch(/\S/)
      expect(words, key).not.toMatch(/undefined|NaN|\[object/)
    }
  })
})

it('an import mentions only what happened', async () => {
  const [en, de] = await Promise.all([load('en'), load('de')])
  expect(en.imported({ added: 1, updated: 0, unchanged: 0 })).toBe('1 chat imported.')
  expect(de.imported({ added: 0, updated: 2, unchanged: 1 })).toBe(
    '0 Chats importiert. 2 Chats aktualisiert. 1 Chat war schon da.',
  )
})

/** Attributes that are shown or read aloud. */
const spoken = new Set(['aria-label', 'aria-description', 'aria-roledescription', 'aria-valuetext'])
for (const name of ['title', 'placeholder', 'alt', 'label']) spoken.add(name)
const word = /\p{L}{2}/u

interface SyntaxNode {
  readonly type: string
  readonly [field: string]: unknown
}

/** Returns the words of a component that a reader would see or hear, and that are not in a catalogue. */
function hardCodedWords(node: SyntaxNode): readonly string[] {
  if (node.type === 'JSXText') return word.test(String(node['value'])) ? [String(node['value']).trim()] : []
  if (node.type === 'JSXAttribute') {
    const { name, value } = node as SyntaxNode & { name: SyntaxNode; value: SyntaxNode | null }
    return spoken.has(String(name['name'])) && value ? literals(value) : elements(node)
  }
  // {'words'} between tags, even in a condition.
  if (node.type === 'JSXExpressionContainer') {
    const { expression } = node as SyntaxNode & { expression: SyntaxNode }
    const shown = ['Literal', 'TemplateLiteral', 'ConditionalExpression', 'LogicalExpression']
    if (shown.includes(expression.type)) return [...literals(expression), ...elements(expression)]
  }
  return children(node).flatMap(hardCodedWords)
}

/** Returns the string literals of an expression, except those that it compares or looks up. */
function literals(node: SyntaxNode): readonly string[] {
  if (node.type === 'Literal')
    return typeof node['value'] === 'string' && word.test(node['value']) ? [node['value']] : []
  if (node.type === 'TemplateElement') {
    const { cooked } = node['value'] as { readonly cooked: string }
    return word.test(cooked) ? [cooked] : []
  }
  if (/^(?:Binary|Member|Call|Arrow|JSX)/.test(node.type) && node.type !== 'JSXExpressionContainer') return []
  return children(node).flatMap(literals)
}

/** Returns the hard-coded words of the elements inside an expression. */
function elements(node: SyntaxNode): readonly string[] {
  return children(node).flatMap((child) =>
    /^JSX(?:Element|Fragment)$/.test(child.type) ? hardCodedWords(child) : elements(child),
  )
}

function children(node: SyntaxNode): readonly SyntaxNode[] {
  return Object.values(node)
    .flat()
    .filter((value): value is SyntaxNode => typeof value === 'object' && value !== null && 'type' in value)
}

const wordsIn = (source: string) => hardCodedWords(parseAst(source, { lang: 'tsx' }) as unknown as SyntaxNode)

describe('words that a reader sees', () => {
  const sources = import.meta.glob<string>('../**/*.tsx', { query: '?raw', import: 'default', eager: true })

  it('are found in a component', () => {
    expect(wordsIn('const a = <p>Hello <b>there</b></p>')).toEqual(['Hello', 'there'])
    expect(wordsIn('const a = <p title="Hi" className="no">{ok ? "Yes" : <i>No</i>}</p>')).toEqual([
      'Hi',
      'Yes',
      'No',
    ])
    expect(wordsIn('const a = <p aria-label={`${n} files`}>{kind === "none" && text}</p>')).toEqual([
      ' files',
    ])
    expect(wordsIn('const a = <p>{list.map((x) => <b key="k">None</b>)}</p>')).toEqual(['None'])
    expect(wordsIn('const a = <p id="the-id">{texts.hello} → 5 %</p>')).toEqual([])
  })

  it.each(Object.keys(sources))('%s has no hard-coded words', (path) => {
    expect(wordsIn(sources[path]!)).toEqual([])
  })

  it('there are components to look at', () => expect(Object.keys(sources).length).toBeGreaterThan(50))
})
