import { InvalidRequestError } from '../../errors.ts'
import { describe, expect, it } from 'vitest'
import { cpuMs } from '../../testing/cpu-time.ts'
import { nativeGrammar } from '../../../../llama/src/testing/native-grammar.ts'
import { readGbnf } from './read-gbnf.ts'

/** Grammars in the style of llama.cpp's own examples. */
const good: readonly string[] = [
  'root ::= "yes" | "no"',
  'root ::= item+\nitem ::= "- " [^\\n]+ "\\n"\n',
  '# a comment\nroot ::= (expr "=" ws term "\\n")+ # another\nexpr ::= term ([-+*/] term)*\nterm ::= num | "(" ws expr ")" ws\nnum ::= [0-9]+ ws\nws ::= [ \\t\\n]*',
  'root ::=\n  "a" |\n  "b"\n\nother-rule ::= [^"\\\\\\x7F\\x00-\\x1F]{2,5} . "\\u00e9"',
  'root ::= ( "a"\n  | ("b" | "c"){3} )? "d"{2,}',
  'root ::= "" | [a-]',
]

const bad: ReadonlyArray<readonly [message: RegExp, source: string]> = [
  [/the rule 'root' is missing/, ''],
  [/the rule 'root' is missing/, 'other ::= "a"'],
  [/line 2: the rule 'nothing' is not defined/, 'root ::= item\nitem ::= nothing'],
  [/line 1: the text is not closed/, 'root ::= "abc'],
  [/line 2: the class is not closed/, 'root ::= a\na ::= [abc'],
  [/line 1: '\)' is missing/, 'root ::= ("a"'],
  [/line 1: unknown escape/, 'root ::= "\\q"'],
  [/line 1: unknown escape/, 'root ::= "\\UFFFFFFFF"'],
  [/line 1: '::=' is missing/, 'root = "a"'],
  [/line 1: "\*" is not expected here/, 'root ::= *'],
  [/line 1: the limits of the repetition \{5,2\} are reversed/, 'root ::= "a"{5,2}'],
  [/line 1: more than 1000 repetitions/, 'root ::= "a"{100000}'],
  [/line 1: the repetition must be/, 'root ::= "a"{99999999999999999999}'],
  [/nested more than 200 deep/, `root ::= ${'('.repeat(100_000)}"a"${')'.repeat(100_000)}`],
  [/more than 3 nested repetitions/, `root ::= "a"${'?'.repeat(100_000)}`],
  [/at most 262144 are allowed/, `root ::= "${'a'.repeat(300_000)}"`],
  [
    /more than 5000 rules/,
    Array.from({ length: 6000 }, (_, i) => `${i ? `r${i}` : 'root'} ::= "a"`).join('\n'),
  ],
  [/the rule 'root' repeats a part that may be empty 500 times/, 'root ::= ("a"?){500} "a"{500}'],
  [
    /the rule 'root' repeats a part that may be empty 500 times/,
    'root ::= item{500} "a"{500}\nitem ::= "a" | ""',
  ],
  [/the rule 'root' repeats a part that may be empty 100 times/, 'root ::= (("a"?){10} | "b"){10} "c"'],
  [/the rule 'root' repeats a part that may be empty 25 times/, `root ::= ${'("a"?){5} '.repeat(5)} "c"`],
  [/repetitions expand to more than 100000 parts/, 'root ::= (("a"{1000}){1000}){1000}'],
  [/the rule 'root' has 5000 parts in a row that may be empty/, `root ::= ${'"a"? '.repeat(5000)}`],
  [
    /the rule 'a' has more than 4000 alternatives/,
    `root ::= "x" a\na ::= (b | "") b b\nb ::= ${'"a" | '.repeat(2500)} "b"`,
  ],
]

describe('readGbnf', () => {
  for (const source of good) {
    it(`accepts what llama.cpp reads: ${JSON.stringify(source).slice(0, 50)}`, async () => {
      expect(() => readGbnf(source)).not.toThrow()
      await nativeGrammar(source)
    })
  }

  for (const [message, source] of bad) {
    it(`refuses ${JSON.stringify(source).slice(0, 50)}`, () => {
      expect(() => readGbnf(source)).toThrow(InvalidRequestError)
      expect(() => readGbnf(source)).toThrow(message)
    })
  }

  it('accepts chains of rules and nested brackets up to what llama.cpp can read', async () => {
    const chain = Array.from(
      { length: 5000 },
      (_, i) => `${i ? `r${i}` : 'root'} ::= ${i < 4999 ? `r${i + 1}` : '"a"'}`,
    )
    const brackets = `root ::= ${'('.repeat(200)}"a"${')'.repeat(200)}`
    for (const source of [chain.join('\n'), brackets]) {
      readGbnf(source)
      expect((await nativeGrammar(source)).accepts('a')).toBe(true)
    }
  })

  it('checks the longest grammar quickly', () => {
    const source = `root ::= ${'aaa '.repeat(60_000)}aaa\naaa ::= "x"`
    const startedAt = cpuMs()
    readGbnf(source)
    expect(cpuMs() - startedAt).toBeLessThan(2500)
  })
})
