import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseArchitecture } from './architecture.ts'
import { emptyHash, NotPackable, PackedPieces, withCode } from './packed-vocabulary.ts'
import { readTokenizerText } from './tokenizer-text.ts'
import { createTokenizer } from './tokenizer.ts'

const architecture = parseArchitecture(
  { model_type: 'llama', vocab_size: 400, hidden_size: 8, num_hidden_layers: 1 },
  'test',
)

/** All characters of a text are pieces; `products` are merged from those before them. */
function bpe(characters: readonly string[], products: readonly (readonly [string, string])[]) {
  const texts = [
    '<unk>',
    ...characters,
    ...products.map((pair) => pair.join('')),
    '<0x41>',
    '<0xC3>',
    '<0xA9>',
  ]
  return {
    type: 'BPE',
    unk_token: '<unk>',
    fuse_unk: false,
    byte_fallback: true,
    vocab: Object.fromEntries([...new Set(texts)].map((piece, id) => [piece, id])),
    merges: products.map((pair) => pair.join(' ')) as unknown[],
  }
}

const tokenizerOf = (model: object, more: object = {}) => ({
  added_tokens: [{ id: 300, content: '<s>', special: true, normalized: false }],
  normalizer: null,
  pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Isolated', invert: false },
  post_processor: null,
  decoder: { type: 'ByteLevel' },
  ...more,
  model,
})

const make = (content: unknown, vocabulary?: ReturnType<typeof readTokenizerText>['vocabulary']) =>
  createTokenizer(
    { tokenizer: content, vocabulary, config: {}, generationConfig: undefined },
    architecture,
    'x',
  )

const packed = (text: string) => {
  const { content, vocabulary } = readTokenizerText(text, 'the text')
  expect(vocabulary).toBeDefined()
  return make(content, vocabulary)
}

const letters = ['a', 'b', 'c', 'é', '"', '\\', '\n', '😀', '1', '__proto__']

/** Merges of letters and of what earlier merges made. */
const products = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 }).map((choices) => {
  const known = [...letters]
  return choices.map(([left, right]) => {
    const pair = [known[left % known.length]!, known[right % known.length]!] as const
    known.push(pair.join(''))
    return pair
  })
})

const models = fc.record({
  model: products.map((pairs) => bpe(letters, pairs)),
  arePairs: fc.boolean(),
  ignoreMerges: fc.boolean(),
  isAscii: fc.boolean(),
  indent: fc.constantFrom(0, 1),
})

type Made = typeof models extends fc.Arbitrary<infer Value> ? Value : never

function write({ model, arePairs, ignoreMerges, isAscii, indent }: Made): string {
  const merges = arePairs ? model.merges.map((line) => (line as string).split(' ')) : model.merges
  const text = JSON.stringify(tokenizerOf({ ...model, ignore_merges: ignoreMerges, merges }), null, indent)
  const escaped = (code: string) => `\\u${code.charCodeAt(0).toString(16).padStart(4, '0')}`
  return isAscii ? text.replace(/[\u0080-\uffff]/g, escaped) : text
}

describe('a vocabulary that is read from the text', () => {
  it('encodes and decodes as the library does with its own', () => {
    const texts = fc.array(
      fc.string({ unit: fc.constantFrom(...letters, ' ', '<s>', 'A', 'ü', '\ud800'), maxLength: 60 }),
      { minLength: 1, maxLength: 5 },
    )
    fc.assert(
      fc.property(models, texts, (made, samples) => {
        const text = write(made)
        const [expected, found] = [make(JSON.parse(text)), packed(text)]
        for (const sample of samples) expect(found.encode(sample)).toEqual(expected.encode(sample))
        const all = Array.from({ length: 310 }, (_, token) => token)
        expect(all.map((token) => found.bytesOf!(token))).toEqual(
          all.map((token) => expected.bytesOf!(token)),
        )
      }),
      { numRuns: 300 },
    )
  })

  it('merges the leftmost of equal pairs first, and long words in a moment', () => {
    const { encode } = encoderOf(
      bpe(
        ['a'],
        [
          ['a', 'a'],
          ['aa', 'aa'],
        ],
      ),
    )
    expect(encode('aaa')).toEqual([2, 1])
    expect(encode('a'.repeat(40_003))).toEqual([...Array<number>(10_000).fill(3), 2, 1])
  })

  it('is left out of the content, which keeps everything else', () => {
    const json = tokenizerOf(bpe(letters, [['a', 'b']]), { version: '1.0', text: '"model": {"vocab": {}}' })
    const { content } = readTokenizerText(JSON.stringify(json), 'the text')
    expect(content).toEqual({ ...json, model: { ...json.model, vocab: {}, merges: [] } })
  })
})

function encoderOf(model: object) {
  const tokenizer = packed(JSON.stringify(tokenizerOf(model)))
  return { encode: (text: string) => tokenizer.encode(text) }
}

describe('a text that is not plain', () => {
  const model = bpe(['a', 'b'], [['a', 'b']])
  const text = JSON.stringify(tokenizerOf(model))

  it.each([
    ['another type', { ...model, type: 'WordLevel' }],
    ['pieces in a list', { type: 'Unigram', vocab: [['a', -1]], unk_id: 0 }],
    ['an affix of words', { ...model, end_of_word_suffix: '</w>' }],
    ['an id that is no whole number', { ...model, vocab: { ...model.vocab, c: 1.5 } }],
    ['an id that is negative', { ...model, vocab: { ...model.vocab, c: -1 } }],
    ['an id beyond all vocabularies', { ...model, vocab: { ...model.vocab, c: 2 ** 20 + 1 } }],
    ['a piece that is too long', { ...model, vocab: { ...model.vocab, ['x'.repeat(1025)]: 9 } }],
    ['a merge of something that is no piece', { ...model, merges: ['a x'] }],
    ['a merge into something that is no piece', { ...model, merges: ['b a'] }],
    ['a merge of three', { ...model, merges: ['a b c'] }],
    ['a merge of one', { ...model, merges: ['ab'] }],
    ['an empty merge', { ...model, merges: [''] }],
    ['a merge that ends early', { ...model, merges: ['a '] }],
    ['merges of two forms', { ...model, merges: ['a b', ['a', 'b']] }],
    ['merges that are numbers', { ...model, merges: [1] }],
    ['no merges', { ...model, merges: undefined }],
    ['an empty vocabulary', { ...model, vocab: {}, merges: [] }],
    ['merges before the pieces', { type: 'BPE', merges: ['a b'], vocab: model.vocab }],
  ])('with %s is parsed as a whole', (_, other) => {
    const whole = JSON.stringify(tokenizerOf(other))
    expect(readTokenizerText(whole, 'the text')).toEqual({ content: JSON.parse(whole) })
  })

  it.each([
    ['a piece', text.replace('"a":1', '"a":1,"a":5')],
    ['a piece, once with an escape', text.replace('"a":1', '"a":1,"\\u0061":5')],
    ['the vocabulary', text.replace('"merges"', '"vocab":{"a":7},"merges"')],
    ['the merges', text.replace('"merges"', '"merges":[],"merges"')],
  ])('that has %s twice is parsed as a whole', (_, twice) => {
    expect(twice).not.toBe(text)
    expect(readTokenizerText(twice, 'the text')).toEqual({ content: JSON.parse(twice) })
  })

  it.each([
    '',
    '{',
    '[]',
    'null',
    '"model"',
    '{"model":{"type":"BPE","vocab":{"a":1',
    `${text}}`,
    `${text} x`,
  ])('%#: that is no tokenizer is as JSON.parse finds it', (other) => {
    expect(resultOf(() => readTokenizerText(other, 'the text').content)).toEqual(
      resultOf(() => JSON.parse(other) as unknown),
    )
  })

  it('is never taken for another one, wherever it is damaged', () => {
    const signs = [...'{}[]",:\\ 019u-.ea\n\u0001', '']
    fc.assert(
      fc.property(fc.nat(text.length), fc.constantFrom(...signs), fc.boolean(), (at, sign, isInserted) => {
        const mutant = text.slice(0, at) + sign + text.slice(at + (isInserted ? 0 : 1))
        const found = resultOf(() => readTokenizerText(mutant, 'the text'))
        const expected = resultOf(() => JSON.parse(mutant) as ReturnType<typeof tokenizerOf> & Json)
        if (found === 'refused' || expected === 'refused') expect(found).toBe(expected)
        else if (!found.vocabulary) expect(found.content).toEqual(expected)
        else {
          const { pieces } = found.vocabulary
          const { vocab } = expected.model
          const ids = Object.keys(vocab).map((piece) => pieces.idAt(pieces.find(piece)))
          expect(ids).toEqual(Object.values(vocab))
          expect(found.content).toEqual({ ...expected, model: { ...expected.model, vocab: {}, merges: [] } })
        }
      }),
      { numRuns: 4000 },
    )
  })
})

interface Json {
  readonly model: { readonly vocab: Readonly<Record<string, number>> }
}

function resultOf<T>(run: () => T): T | 'refused' {
  try {
    return run()
  } catch {
    return 'refused'
  }
}

describe('PackedPieces', () => {
  const textsOf = (texts: readonly string[], hash?: number) => ({
    codes: Uint16Array.from(texts.join(''), (character) => character.charCodeAt(0)),
    starts: Int32Array.from([0, ...texts.map((_, index) => texts.slice(0, index + 1).join('').length)]),
    hashes: Int32Array.from(
      texts,
      (text) => hash ?? [...text].reduce((sum, sign) => withCode(sum, sign.charCodeAt(0)), emptyHash),
    ),
    count: texts.length,
  })
  const names = Array.from({ length: 400 }, (_, index) => index.toString(36))

  it('finds every piece, and no other', () => {
    const pieces = PackedPieces.of(textsOf(names), Int32Array.from(names.keys()))
    expect(names.map((name) => pieces.find(name))).toEqual([...names.keys()])
    expect(names.map((_, id) => pieces.pieceOf(id))).toEqual(names)
    expect([pieces.find('zz'), pieces.find(''), pieces.pieceOf(400), pieces.pieceOf(-1)]).toEqual([
      -1,
      -1,
      undefined,
      undefined,
    ])
  })

  it('refuses a file that was made to slow down the search', () => {
    expect(() => PackedPieces.of(textsOf(names, 7), Int32Array.from(names.keys()))).toThrow(NotPackable)
    const few = names.slice(0, 200)
    expect(() => PackedPieces.of(textsOf(few, 7), Int32Array.from(few.keys()))).not.toThrow()
  })
})
