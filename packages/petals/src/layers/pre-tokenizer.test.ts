import { describe, expect, it } from 'vitest'
import { portablePreTokenizer, type PreTokenizer } from './pre-tokenizer.ts'

/** Splits a text by a pattern; `Isolated` keeps both the matches and the text between them. */
function pieces(entry: unknown, text: string): string[] {
  const { pattern } = entry as PreTokenizer
  return text.split(new RegExp(`(${pattern?.Regex})`, 'u')).filter((part) => part !== '')
}

describe('portablePreTokenizer', () => {
  it('matches all numbers of Unicode as digits, as Rust does', () => {
    const single = portablePreTokenizer({ type: 'Digits', individual_digits: true })
    expect(pieces(single, 'a12b٣½')).toEqual(['a', '1', '2', 'b', '٣', '½'])
    const runs = portablePreTokenizer({ type: 'Digits', individual_digits: false })
    expect(pieces(runs, 'a12b٣½')).toEqual(['a', '12', 'b', '٣½'])
  })

  it("splits words as GPT-2, with Unicode's white space", () => {
    const { pretokenizers } = portablePreTokenizer({ type: 'ByteLevel' }) as Required<PreTokenizer>
    expect(pieces(pretokenizers[0], "I'll go  there\u0085now\ufeff!")).toEqual([
      'I',
      "'ll",
      ' go',
      ' ',
      ' there',
      '\u0085',
      'now',
      '\ufeff!',
    ])
    expect(pretokenizers[1]).toMatchObject({ type: 'ByteLevel', use_regex: false })
  })

  it('replaces white space of JavaScript in patterns, also within classes, and nothing else', () => {
    const split = (regex: string) => portablePreTokenizer({ type: 'Split', pattern: { Regex: regex } })
    expect(split('[^\\s\\p{L}]+|\\S')).toMatchObject({
      pattern: { Regex: '[^\\p{White_Space}\\p{L}]+|\\P{White_Space}' },
    })
    // An escaped backslash before an s does not stand for white space.
    expect(split('\\\\s')).toMatchObject({ pattern: { Regex: '\\\\s' } })
  })

  it('splits before each ▁ of Metaspace, unless split is false', () => {
    const portable = portablePreTokenizer({ type: 'Metaspace', add_prefix_space: false })
    const { pretokenizers } = portable as Required<PreTokenizer>
    expect(pretokenizers[0]).toMatchObject({ type: 'Metaspace', prepend_scheme: 'never' })
    expect(pieces(pretokenizers[1], 'a▁b▁▁c')).toEqual(['a', '▁b', '▁', '▁c'])
  })

  it('rewrites the entries of sequences, and no other types', () => {
    const metaspace = { type: 'Metaspace', prepend_scheme: 'first', split: false } as const
    const plain = { type: 'ByteLevel', use_regex: false } as const
    const literal = { type: 'Split', pattern: { String: '\\s' } } as const
    expect(portablePreTokenizer({ type: 'Sequence', pretokenizers: [metaspace, plain, literal] })).toEqual({
      type: 'Sequence',
      pretokenizers: [metaspace, plain, literal],
    })
    expect(portablePreTokenizer(null)).toBeNull()
    expect(portablePreTokenizer(undefined)).toBeUndefined()
  })
})
