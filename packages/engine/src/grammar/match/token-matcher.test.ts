import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Grammar } from '../../engine.ts'
import { InvalidRequestError } from '../../errors.ts'
import { GbnfSampler } from '../../testing/gbnf-sampler.ts'
import { randomSchemas, seededRandom } from '../../../../../tests/support/random-schemas.ts'
import type { TokenId } from '../../tokenizer.ts'
import { grammarSource } from '../grammar-source.ts'
import { TokenGrammars } from './token-grammars.ts'
import type { TokenMatcher } from './token-matcher.ts'

/** Token 0 ends, token 1 is a control token, 2 … 257 are bytes; then these pieces. */
const pieces = ['"na', 'name', 'name":', '":', '{"', '"}', 'é', 'éa', '日本', '},', 'true', '123', '  ']
const firstPiece = 258
const encoder = new TextEncoder()
const pieceBytes = pieces.map((piece) => encoder.encode(piece))
const vocabulary = {
  size: firstPiece + pieces.length,
  bytesOf: (token: TokenId) =>
    token < 2 ? undefined : token < firstPiece ? Uint8Array.of(token - 2) : pieceBytes[token - firstPiece],
}

/** Takes the longest piece at each place. */
function encode(text: string): TokenId[] {
  const bytes = Buffer.from(text)
  const tokens: TokenId[] = []
  for (let position = 0; position < bytes.length;) {
    const fits = (token: TokenId): boolean =>
      bytes.subarray(position).indexOf(vocabulary.bytesOf(token)!) === 0
    const found = pieces.map((_, index) => firstPiece + index).filter(fits)
    const longest = found.sort((a, b) => vocabulary.bytesOf(b)!.length - vocabulary.bytesOf(a)!.length)[0]
    const token = longest ?? bytes[position]! + 2
    tokens.push(token)
    position += vocabulary.bytesOf(token)!.length
  }
  return tokens
}

const grammars = new TokenGrammars({ tokenizer: { encode, eosTokens: new Set([0]) }, vocabulary })
const matcherOf = (source: string): TokenMatcher => grammars.matcher({ type: 'gbnf', source })
const text = (tokens: Iterable<TokenId>): string =>
  Buffer.concat(Array.from(tokens, (token) => vocabulary.bytesOf(token) ?? Buffer.from('<end>'))).toString()
const allowedTexts = (matcher: TokenMatcher): string[] => [...matcher.allowed()].map((token) => text([token]))

/** Reports whether an answer of these tokens is allowed, up to its end. */
function accepts(matcher: TokenMatcher, tokens: readonly TokenId[]): boolean {
  for (const token of [...tokens, 0]) {
    if (!matcher.allowed().includes(token)) return false
    matcher.accept(token)
  }
  return true
}

const refusal = (source: string): unknown => {
  try {
    matcherOf(source).allowed()
  } catch (error) {
    return error
  }
  return undefined
}

const manyCharacters = String.fromCodePoint(...Array.from({ length: 6000 }, (_, index) => 0x10000 + index))

describe('TokenMatcher', () => {
  it('allows the tokens with which an answer can go on, and the end where it may end', () => {
    const matcher = matcherOf('root ::= "{\\"" [a-z]+ "\\":" ("true" | "12"){0,2} "}"')
    expect(allowedTexts(matcher).sort()).toEqual(['{', '{"'])
    matcher.accept(encode('{"')[0]!)
    expect(allowedTexts(matcher)).toEqual([...'abcdefghijklmnopqrstuvwxyz', 'name', 'name":', 'true'])
    matcher.accept(encode('name":')[0]!)
    expect(allowedTexts(matcher).sort()).toEqual(['1', 't', 'true', '}'])
    for (const token of encode('12}')) matcher.accept(token)
    expect([matcher.isComplete, [...matcher.allowed()]]).toEqual([true, [0]])
    matcher.accept(0)
    expect([...matcher.allowed()]).toEqual([0])
  })

  it.each([
    ['[^a-z"]+', ['A', '日本', '\n', '🙂', 'é', '\u{10ffff}'], ['a', 'z', '"', 'Aa', '']],
    ['[à-ü]', ['é', 'à', 'ü'], ['ß', 'ý', 'éa', 'e']],
    ['[\u0800-\uffff]', ['\u0800', '日', '\uffff'], ['é', '🙂', '\u07ff']],
    ['[\\U0001F600-\\U0001F64F]{2}', ['😀🙏'], ['😀', '😀🙂🙏', '😀日']],
    ['. "a"? .', ['é日', 'aa', 'xaz'], ['é', 'aaaa']],
    ['("a"? "b"?)* "c"', ['c', 'abbac'], ['ab', 'cc']],
    ['[^\\x00-\\U0010FFFF] | "x"', ['x'], ['y', '']],
    ['[a-] | [-b] | [\\]]', ['a', '-', 'b', ']'], ['c']],
  ])('reads %s character by character, in UTF-8', (body, good, bad) => {
    const judged = [...good, ...bad].map((each) => accepts(matcherOf(`root ::= ${body}`), encode(each)))
    expect(judged).toEqual([...good.map(() => true), ...bad.map(() => false)])
  })

  it('reads nested and right-recursive rules, however deep', () => {
    const source = 'root ::= list\nlist ::= "[" (list ("," list)*)? "]"'
    const deep = `${'['.repeat(500)}${']'.repeat(500)}`
    expect(
      ['[]', '[[],[[]]]', deep, `${deep}]`, '[[]'].map((each) => accepts(matcherOf(source), encode(each))),
    ).toEqual([true, true, true, false, false])
    const chain = 'root ::= "a" root | "b"'
    expect(accepts(matcherOf(chain), encode(`${'a'.repeat(5000)}b`))).toBe(true)
  })

  it('never allows control tokens, nor half a character at the end', () => {
    const matcher = matcherOf('root ::= .*')
    expect(matcher.allowed()).not.toContain(1)
    matcher.accept(0xc3 + 2)
    expect(allowedTexts(matcher)).toHaveLength(64)
    expect(matcher.allowed()).not.toContain(0)
  })

  it('forces the tokens of a text that is the only one, as the tokenizer divides it, and leaves the last to the model', () => {
    const matcher = matcherOf('root ::= "{\\"name\\":" [0-9]+ "}"')
    const forced = matcher.forced(10)
    expect(text(forced)).toBe('{"')
    for (const token of forced) matcher.accept(token)
    expect(allowedTexts(matcher)).toContain('name":')
    const whole = matcherOf('root ::= "{\\"name\\":true}"')
    expect([text(whole.forced(10)), text(whole.forced(2))]).toEqual(['{"name":true}', '{"name":'])
    for (const token of whole.forced(10)) whole.accept(token)
    expect(whole.forced(10)).toEqual([0])
  })

  it.each([
    ['a rule that begins with itself', 'root ::= root "a" | "b"', /begins with itself/],
    ['a grammar that no text fits', 'root ::= "a" root', /no text fits/],
    ['tokens by number', 'root ::= <[12]>', /tokens/],
    ['repetitions of long texts', `root ::= "${'a'.repeat(10_000)}"{1000}`, /expand to more than/],
    ['thousands of different characters', `root ::= "${manyCharacters}"`, /too many different characters/],
    ['many repetitions of what may be empty', 'root ::= ("a"?){500} "a"{500}', /may be empty/],
  ])('refuses %s', (_name, source, message) => {
    const error = refusal(source)
    expect(error).toBeInstanceOf(InvalidRequestError)
    expect((error as Error).message).toMatch(message)
  })

  it('stops an answer whose grammar takes ever more work', () => {
    // Each letter doubles the ways to go on.
    const matcher = matcherOf('root ::= s\ns ::= "a" s s | "a" s | "a" | "b" s | "b" s s')
    expect(() => {
      for (let count = 0; count < 20_000; count++) {
        matcher.allowed()
        matcher.accept(encode(count % 3 === 0 ? 'b' : 'a')[0]!)
      }
    }).toThrow(/too much work|too many ways/)
  })

  it('accepts every text of the grammars of random schemas, in tokens of any length', () => {
    let compared = 0
    fc.assert(
      fc.property(randomSchemas, fc.nat(), (schema, seed) => {
        const source = sourceOf({ type: 'json-schema', schema })
        if (source === undefined) return
        const random = seededRandom(seed)
        const answer = new GbnfSampler(source).sample(random)
        const tokens = random() < 0.5 ? encode(answer) : [...Buffer.from(answer)].map((byte) => byte + 2)
        if (!accepts(matcherOf(source), tokens)) expect.fail(`${answer} of ${JSON.stringify(schema)}`)
        compared++
      }),
      { numRuns: 40 },
    )
    expect(compared).toBeGreaterThan(10)
  })
})

/** Returns undefined for schemas that are refused. */
function sourceOf(grammar: Grammar): string | undefined {
  try {
    return grammarSource(grammar)
  } catch (error) {
    if (error instanceof InvalidRequestError) return undefined
    throw error
  }
}
