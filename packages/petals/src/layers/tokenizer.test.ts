import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  dialogueSchema,
  InvalidRequestError,
  LITERAL_MARK,
  literalMarker,
  type Dialogue,
} from '@petals-chat/engine'
import { checkUtf8 } from '@petals-chat/engine/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderFiles } from '../../../../tests/support/folder-files.ts'
import { parseArchitecture } from './architecture.ts'
import { openTokenizer } from './tokenizer.ts'

const architecture = parseArchitecture(
  {
    model_type: 'llama',
    vocab_size: 400,
    hidden_size: 8,
    num_hidden_layers: 1,
    eos_token_id: 3,
    bos_token_id: 1,
  },
  'test',
)

/** GPT-2's characters for the 256 bytes. */
const alphabet = (() => {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++))
})()

const special = (id: number, content: string) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})

/** Four special tokens, a token for each byte, a few merges. */
const byteLevel = {
  version: '1.0',
  added_tokens: ['<unk>', '<s>', '<|end|>', '</s>'].map((content, id) => special(id, content)),
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
  },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    vocab: Object.fromEntries(
      ['<unk>', '<s>', '<|end|>', '</s>', ...alphabet, 'Ġt', 'he', 'Ġthe'].map((piece, id) => [piece, id]),
    ),
    merges: ['Ġ t', 'h e', 'Ġt he'],
  },
}

/** A tokenizer of Llama 2's kind: ▁ for spaces, byte tokens for characters without a piece. */
const sentencePiece = {
  ...byteLevel,
  added_tokens: byteLevel.added_tokens.slice(0, 2),
  pre_tokenizer: null,
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  decoder: {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      { type: 'Strip', content: ' ', start: 1, stop: 0 },
    ],
  },
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(
      [
        '<unk>',
        '<s>',
        ...Array.from(
          { length: 256 },
          (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
        ),
        '▁',
        'h',
        'i',
        '▁h',
        '▁hi',
      ].map((piece, id) => [piece, id]),
    ),
    merges: ['▁ h', '▁h i'],
  },
}

let folder: string
beforeAll(async () => (folder = await mkdtemp(path.join(tmpdir(), 'tokenizer-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

async function open(files: Readonly<Record<string, unknown>>, dialogue?: Dialogue) {
  const place = await mkdtemp(path.join(folder, 'model-'))
  for (const [name, content] of Object.entries(files)) {
    await writeFile(path.join(place, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return openTokenizer(folderFiles(place), architecture, dialogue)
}

const texts = fc.string({ unit: 'binary', maxLength: 40 })

describe('a byte-level tokenizer', () => {
  const opened = () => open({ 'tokenizer.json': byteLevel })

  it('decodes what it encoded, for any text', async () => {
    const { tokenizer } = await opened()
    fc.assert(
      fc.property(texts, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.toWellFormed())
      }),
    )
  })

  it('decodes token by token to the same bytes', async () => {
    const { tokenizer } = await opened()
    const tokens = tokenizer.encode('the thé 🙂 the')
    expect(tokens).toContain(byteLevel.model.vocab['Ġthe'])
    for (let cut = 0; cut <= tokens.length; cut++) {
      const parts = [tokens.slice(0, cut), tokens.slice(cut)].map((part) => tokenizer.decode(part))
      if (!parts.join('').includes('\ufffd')) expect(parts.join('')).toBe('the thé 🙂 the')
    }
    // Half of a character becomes one replacement character, as with TextDecoder.
    const [first] = tokenizer.encode('é')
    expect(tokenizer.decode([first!])).toBe('\ufffd')
  })

  it.each([
    ['this kind', () => open({ 'tokenizer.json': byteLevel })],
    ["SentencePiece's kind", () => open({ 'tokenizer.json': sentencePiece })],
  ])('of %s streams every text in whole characters', async (_, openIt) => {
    const { tokenizer } = await openIt()
    const valid = fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => text.isWellFormed())
    fc.assert(
      fc.property(valid, (text) => checkUtf8(tokenizer, text)),
      { numRuns: 3000 },
    )
  })

  it('replaces lone surrogates, which UTF-8 does not have', async () => {
    const { tokenizer } = await opened()
    expect(tokenizer.decode(tokenizer.encode('a\ud800b'))).toBe('a\ufffdb')
  })

  it('keeps a byte order mark', async () => {
    const { tokenizer } = await opened()
    expect(tokenizer.decode(tokenizer.encode('\ufeffx'))).toBe('\ufeffx')
  })

  it('recognizes special tokens in the text, and adds and skips them on request', async () => {
    const { tokenizer } = await opened()
    const tokens = tokenizer.encode('a<|end|>', { addSpecialTokens: true })
    expect(tokens[0]).toBe(1)
    expect(tokens.at(-1)).toBe(2)
    expect(tokenizer.decode(tokens)).toBe('<s>a<|end|>')
    expect(tokenizer.decode(tokens, { skipSpecialTokens: true })).toBe('a')
    expect(tokenizer.encode('')).toEqual([])
    expect(tokenizer.encode('', { addSpecialTokens: true })).toEqual([1])
  })

  it("encodes control tokens in a client's text as plain text", async () => {
    const { tokenizer } = await opened()
    const mark = literalMarker(tokenizer.controlTexts)
    for (const text of ['<|end|>', 'a<|end|>b', '<|end|></s> <s>', ' </s>', '<unk>', '<|en']) {
      const tokens = tokenizer.encode(mark(text))
      expect(tokens.every((token) => token > 3)).toBe(true)
      expect(tokenizer.decode(tokens)).toBe(text)
    }
    expect(tokenizer.encode(LITERAL_MARK)).toEqual([])
    fc.assert(
      fc.property(texts, (text) => {
        expect(tokenizer.encode(mark(text))).toEqual(tokenizer.encode(text))
      }),
    )
  })

  it('decodes ids that pad the vocabulary to nothing', async () => {
    const { tokenizer } = await opened()
    expect(tokenizer.vocabSize).toBe(400)
    expect(tokenizer.decode([399])).toBe('')
  })
})

describe('a SentencePiece tokenizer', () => {
  const opened = () => open({ 'tokenizer.json': sentencePiece })

  it('decodes ▁ to spaces, and byte pieces to bytes', async () => {
    const { tokenizer } = await opened()
    const tokens = tokenizer.encode('hi 🙂')
    expect(tokens).toContain(sentencePiece.model.vocab['▁hi'])
    // SentencePiece adds the leading space; the engine's detokenizer strips it from answers.
    expect(tokenizer.decode(tokens)).toBe(' hi 🙂')
    expect(tokenizer.decode(tokens.slice(0, -1))).toBe(' hi \ufffd')
  })
})

describe('controlTexts', () => {
  const added = (...tokens: (readonly [content: string, special: boolean, normalized?: boolean])[]) => ({
    ...sentencePiece,
    added_tokens: [
      ...sentencePiece.added_tokens,
      ...tokens.map(([content, isSpecial, normalized = false], index) => ({
        ...special(380 + index, content),
        special: isSpecial,
        normalized,
      })),
    ],
  })

  it('are the texts of special tokens, and turn markers among the other tokens', async () => {
    const { tokenizer } = await open({
      'tokenizer.json': added(['<｜User｜>', false], ['<|call|>', true], ['<think>', false]),
    })
    expect(tokenizer.controlTexts).toEqual(['<unk>', '<s>', '<｜User｜>', '<|call|>'])
    const mark = literalMarker(tokenizer.controlTexts)
    expect(tokenizer.encode(mark('<think>'))).toEqual(tokenizer.encode('<think>'))
    expect(tokenizer.encode(mark('hi<｜User｜>'))).not.toContain(380)
  })

  it('are encoded as text by a tokenizer that normalizes first', async () => {
    const { tokenizer } = await open({ 'tokenizer.json': added(['<|end|>', true, true]) })
    const mark = literalMarker(tokenizer.controlTexts)
    expect(tokenizer.encode('hi <|end|>')).toContain(380)
    const tokens = tokenizer.encode(mark('hi <|end|>'))
    expect(tokens).not.toContain(380)
    expect(tokenizer.decode(tokens)).toBe(' hi <|end|>')
  })
})

describe('eosTokens', () => {
  it('are those of the config, the generation config and the tokenizer', async () => {
    const { tokenizer } = await open({
      'tokenizer.json': byteLevel,
      'generation_config.json': { eos_token_id: [3, 7] },
      'tokenizer_config.json': { eos_token: { content: '<|end|>' }, bos_token: '<s>' },
    })
    expect([...tokenizer.eosTokens].sort()).toEqual([2, 3, 7])
    expect(tokenizer.bosToken).toBe(1)
  })

  it('are those of the config if there are no other files', async () => {
    const { tokenizer } = await open({
      'tokenizer.json': byteLevel,
      'generation_config.json': { eos_token_id: null },
    })
    expect([...tokenizer.eosTokens]).toEqual([3])
    expect(tokenizer.bosToken).toBe(1)
  })
})

describe('the recommended sampling parameters', () => {
  it('are those of generation_config.json', async () => {
    const { generation } = await open({
      'tokenizer.json': byteLevel,
      'generation_config.json': {
        do_sample: true,
        temperature: 0.6,
        top_p: 0.9,
        max_length: 4096,
        eos_token_id: 3,
      },
    })
    expect(generation).toEqual({ do_sample: true, temperature: 0.6, top_p: 0.9 })
  })

  it('are empty if there is no such file', async () => {
    expect((await open({ 'tokenizer.json': byteLevel })).generation).toEqual({})
  })
})

describe('the chat template', () => {
  const user = [{ role: 'user', content: 'Hi' }] as const
  const files = { 'tokenizer.json': byteLevel }

  it('is read from tokenizer_config.json', async () => {
    const template = '{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}'
    const config = { chat_template: template, bos_token: '<s>' }
    const { chatTemplate } = await open({ ...files, 'tokenizer_config.json': config })
    expect(chatTemplate.render(user)).toBe('<s>[user]Hi')
  })

  it('is the one named default if there are several', async () => {
    const config = {
      chat_template: [
        { name: 'tool_use', template: 'tools' },
        { name: 'default', template: '{{ messages[0].content }}' },
      ],
    }
    const { chatTemplate } = await open({ ...files, 'tokenizer_config.json': config })
    expect(chatTemplate.render(user)).toBe('Hi')
  })

  it('is read from its own file first', async () => {
    const config = { chat_template: 'old' }
    const own = { 'chat_template.jinja': 'new', 'tokenizer_config.json': config }
    const { chatTemplate } = await open({ ...files, ...own })
    expect(chatTemplate.render(user)).toBe('new')
  })

  it("formats the model entry's system prompt as the template does", async () => {
    const template = '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}'
    const config = { chat_template: template }
    const dialogue = dialogueSchema.parse({ systemPrompt: 'Be brief.' })
    const { chatTemplate } = await open({ ...files, 'tokenizer_config.json': config }, dialogue)
    expect(chatTemplate.render(user)).toBe('[system]Be brief.[user]Hi')
  })

  it("is the model entry's dialogue if the model has no template", async () => {
    const { chatTemplate } = await open(files)
    expect(chatTemplate.render(user)).toMatch(/Human: Hi/)
  })
})

describe('unusable files', () => {
  it.each([
    ['no tokenizer.json', {}, /has no tokenizer\.json\. .*fast tokenizer/],
    ['a truncated tokenizer.json', { 'tokenizer.json': '{"model": {' }, /tokenizer\.json .* is not JSON/],
    [
      'a decoder that is not known',
      { 'tokenizer.json': { ...byteLevel, decoder: { type: 'WordPiece' } } },
      /decodes by 'WordPiece', which is not supported/,
    ],
    [
      'no model',
      { 'tokenizer.json': { decoder: { type: 'ByteLevel' } } },
      /tokenizer\.json .* can't be used/,
    ],
    ['no decoder', { 'tokenizer.json': { ...byteLevel, decoder: null } }, /decodes by ''/],
  ])('are refused: %s', async (_, files, message) => {
    await expect(open(files)).rejects.toThrow(message)
  })
})

describe('a hostile tokenizer.json', () => {
  /** A backtracking engine would need hours for a text of 60 letters. */
  const evil = '(?:a+)+$'
  const text = `${'a'.repeat(60)}b`

  it.each<[string, object]>([
    ['pre_tokenizer', { type: 'Split', pattern: { Regex: evil }, behavior: 'Isolated', invert: false }],
    ['normalizer', { type: 'Replace', pattern: { Regex: evil }, content: 'x' }],
  ])(
    'whose %s is a catastrophic regular expression refuses a text instead of hanging',
    async (part, step) => {
      const { tokenizer } = await open({ 'tokenizer.json': { ...byteLevel, [part]: step } })
      expect(() => tokenizer.encode(text)).toThrow(InvalidRequestError)
      expect(() => tokenizer.encode(text)).toThrow(
        /can't encode this text of 61 characters: it took longer than/,
      )
      expect(tokenizer.encode('the')).not.toEqual([])
    },
  )

  it('that nests lists without end, or has millions of them, is refused before they take memory', async () => {
    for (const list of ['['.repeat(300_000), `[${'[],'.repeat(2_100_000)}[]]`])
      await expect(open({ 'tokenizer.json': list })).rejects.toThrow(/tokenizer.json of .* more than/)
  })

  it('with a tokenizer_config.json of other things is refused', async () => {
    const files = { 'tokenizer.json': byteLevel, 'tokenizer_config.json': { bos_token: 7 } }
    await expect(open(files)).rejects.toThrow(/tokenizer_config.json of .*: bos_token/)
  })
})
