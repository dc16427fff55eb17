import { ModelUnavailableError } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { parseTokenizerJson } from './tokenizer-json.ts'

const good = {
  added_tokens: [{ id: 0, content: '<s>', special: true, lstrip: false }],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      {
        type: 'Split',
        pattern: { Regex: "(?i:'s)|\\p{N}{1,3}|\\s+(?!\\S)|\\s+" },
        behavior: 'Isolated',
        invert: false,
      },
      { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
    ],
  },
  post_processor: null,
  decoder: { type: 'ByteLevel' },
  model: {
    type: 'BPE',
    vocab: { '<s>': 0, a: 1, b: 2, ab: 3 },
    merges: ['a b', ['a', 'b']],
    ignore_merges: true,
  },
}

const refusal = (changes: object): unknown => {
  try {
    return parseTokenizerJson({ ...good, ...changes }, 'a folder')
  } catch (error) {
    if (error instanceof ModelUnavailableError) return error.message
    throw error
  }
}

it('keeps all keys of a known form', () => {
  expect(parseTokenizerJson(good, 'a folder')).toEqual(good)
})

const twice = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' }
const splitBy = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated' })

it('accepts the templates of post-processors that tokenizers have', () => {
  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
  }
  const byteLevel = { type: 'ByteLevel', trim_offsets: true }
  const roberta = { type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 0], trim_offsets: true }
  for (const processor of [
    template,
    byteLevel,
    roberta,
    { type: 'Sequence', processors: [byteLevel, template] },
  ])
    expect(parseTokenizerJson({ ...good, post_processor: processor }, 'a folder')).toHaveProperty(
      'post_processor',
      processor,
    )
})

it('accepts the many added tokens of a model for speech', () => {
  const added_tokens = Array.from({ length: 2 ** 16 }, (_, id) => ({ id, content: `<|audio_${id}|>` }))
  expect(parseTokenizerJson({ ...good, added_tokens }, 'a folder').added_tokens).toHaveLength(2 ** 16)
})

describe('a tokenizer.json is refused, with the key at fault', () => {
  it.each<[string, object, RegExp]>([
    [
      'with added tokens that are too long together',
      {
        added_tokens: Array.from({ length: 5000 }, (_, id) => ({ id, content: String(id).padEnd(1000) })),
      },
      /added_tokens: must have at most 4194304 characters together/,
    ],
    [
      'whose normalizers lengthen a text one after another',
      { normalizer: { type: 'Sequence', normalizers: Array.from({ length: 16 }, () => twice) } },
      /make a text up to 65536 times as long/,
    ],
    [
      'whose normalizers and pre-tokenizers together do so',
      {
        normalizer: { ...twice, content: 'a'.repeat(4) },
        pre_tokenizer: { ...twice, content: 'a'.repeat(4) },
      },
      /up to 16 times/,
    ],
    [
      'that puts a long text at each place without a letter',
      { normalizer: { type: 'Replace', pattern: { Regex: '' }, content: 'a'.repeat(60) } },
      /up to 60 times/,
    ],
    [
      'with an endless list of steps',
      { pre_tokenizer: { type: 'Sequence', pretokenizers: Array.from({ length: 999 }, () => splitBy('a')) } },
      /pre_tokenizer\.pretokenizers: Too big/,
    ],
    ['with a step of an unknown kind', { normalizer: { type: 'Exec' } }, /normalizer/],
    [
      'with steps nested in steps',
      { normalizer: { type: 'Sequence', normalizers: [good.normalizer] } },
      /normalizer\.normalizers\.0/,
    ],
    [
      'with a pattern that repeats too often',
      { pre_tokenizer: splitBy('(?:\\p{L}{0,50}){1000}') },
      /pattern\.Regex: must repeat nothing more than 64 times/,
    ],
    ['with a pattern that is too long', { pre_tokenizer: splitBy('a'.repeat(5000)) }, /pattern\.Regex/],
    [
      'with a number that is no token',
      { added_tokens: [{ id: 2 ** 40, content: 'a' }] },
      /added_tokens\.0\.id/,
    ],
    [
      'with a long added token',
      { added_tokens: [{ id: 1, content: 'a'.repeat(9999) }] },
      /added_tokens\.0\.content/,
    ],
    [
      'with a vocabulary of other things',
      { model: { type: 'BPE', vocab: { a: 'length' }, merges: [] } },
      /model\.vocab/,
    ],
    ['without a vocabulary', { model: { type: 'BPE', merges: [] } }, /model\.vocab is missing/],
    ['with merges of three', { model: { ...good.model, merges: [['a', 'b', 'c']] } }, /model\.merges/],
    [
      'with a template of other things',
      { post_processor: { type: 'TemplateProcessing', single: [{ Sequence: null }] } },
      /post_processor\.single\.0/,
    ],
    [
      'with a template of many copies',
      {
        post_processor: {
          type: 'TemplateProcessing',
          single: Array.from({ length: 99 }, () => ({ Sequence: { id: 'A' } })),
        },
      },
      /post_processor\.single/,
    ],
  ])('%s', (_, changes, message) => {
    expect(refusal(changes)).toMatch(message)
  })

  it('that is no object', () => {
    for (const json of [null, 1, 'a', [], { model: null }])
      expect(() => parseTokenizerJson(json, 'a folder')).toThrow(ModelUnavailableError)
  })
})
