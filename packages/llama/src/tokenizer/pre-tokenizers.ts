import { ModelUnavailableError } from '@petals-chat/engine'
import { splitBy, splitDigitGroups, type Split } from './split-text.ts'

/** How byte-level BPE splits a text into words before it merges, by the name in `tokenizer.ggml.pre`. */
export interface PreTokenizer {
  /** Each one splits the pieces of the one before it. */
  readonly splits: readonly Split[]
  /** A word that is a token is not split, whatever the merges are. */
  readonly ignoreMerges: boolean
  /** The default of `tokenizer.ggml.add_bos_token`. */
  readonly addBos: boolean
  /** Tokens are written in GPT-2's alphabet of 256 printable characters; otherwise in plain text with ▁ for spaces. */
  readonly byteEncoded: boolean
}

const { raw } = String

// White space as in llama.cpp (unicode-data.cpp): JavaScript's \s includes U+FEFF and lacks U+0085.
const space = raw`\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`
const contraction = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
const sign = raw`[^\r\n\p{L}\p{N}]?`
const word = raw`${sign}\p{L}+`
const signs = raw` ?[^${space}\p{L}\p{N}]+`
const spaces = raw`[${space}]+(?![^${space}])|[${space}]+`
const gaps = raw`[${space}]*[\r\n]+|${spaces}`
const singleBreakGaps = raw`[${space}]*[\r\n]|${spaces}`

const gpt2 = raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|${signs}|[${space}]+(?![^${space}])`
const words = (numbers: string) => raw`${contraction}|${word}|${numbers}|${signs}[\r\n]*|${gaps}`
const llama3 = words(raw`\p{N}{1,3}`)
const qwen2 = words(raw`\p{N}`)
const lines = raw`[^\n]+|\n+`

/** Words with leading capitals. llama.cpp distinguishes case only in ASCII, so all other letters count as both. */
const casedWords = (letter: string, ending: string) => {
  const upper = raw`(?:(?=[${letter}])[^a-z])`
  const lower = raw`(?:(?=[${letter}])[^A-Z])`
  return `${sign}${upper}*${lower}+${ending}|${sign}${upper}+${lower}*${ending}`
}
const uncasedWords = raw`${sign}[\p{L}\p{M}]+${contraction}?`
const signsWithSlash = raw`${signs}[\r\n/]*`
const gpt4o = (letter: string) =>
  raw`${casedWords(letter, `${contraction}?`)}|\p{N}{1,3}|${signsWithSlash}|${gaps}`

const asciiWord = raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${'`'}{|}~][A-Za-z]+`
const markedWord = raw`[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+`
const deepseek3 = raw`${asciiWord}|${markedWord}| ?[\p{P}\p{S}]+[\r\n]*|${gaps}`
const hanAndKana = raw`[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+`
const cjk = raw`[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+`
// Escaped, because editors may apply Unicode composition (NFC), which changes some of these letters.
const deepseekLetters =
  raw`A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376` +
  raw`\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-` +
  raw`\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a` +
  raw`\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4` +
  raw`\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc` +
  raw`\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f` +
  raw`\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b` +
  raw`\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a` +
  raw`\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}` +
  raw`\u{118a0}-\u{118df}\u{1e900}-\u{1e943}`
// Without the original's U+3000: llama.cpp splits off white space before it matches such ranges.
const deepseekSigns = raw`!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3001-\u3002`
const afmoeScripts =
  raw`[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f` +
  raw`\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+`
const youtuScripts =
  raw`[\uac00-\ud7a3\u3131-\u318e]+` +
  raw`|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+` +
  raw`|[\u3105-\u312f]+|${hanAndKana}`
const bloom = raw` ?[^(${space}|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+`
const cascadingSpaces =
  [512, 256, 128, 64, 32, 16, 8, 4, '1,2']
    .map((count) => raw`[${space}]{${count}}(?![^${space}])`)
    .join('|') + raw`|[${space}]`

type Traits = Partial<Omit<PreTokenizer, 'splits'>>
type Row = readonly [names: string, splits: readonly (string | Split)[], traits?: Traits]

/** The expressions are from `llm_tokenizer_bpe` of llama-vocab.cpp, the names from `llama_vocab::impl::load`. */
const rows: readonly Row[] = [
  [
    'llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano',
    [llama3],
    { ignoreMerges: true, addBos: true },
  ],
  ['dbrx smaug-bpe glm4 chatglm-bpe', [llama3]],
  ['minicpm5', [raw`\p{N}{1,3}`, words(raw`\p{N}+`)], { ignoreMerges: true }],
  ['jais-2', [raw`${contraction}|${word}|\p{N}{1,3}|${signs}[\r\n]*|[${space}]*[\r\n]+|${cascadingSpaces}`]],
  ['qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan solar-open megrez grok-2', [qwen2]],
  ['qwen35', [raw`${contraction}|${sign}[\p{L}\p{M}]+|\p{N}| ?[^${space}\p{L}\p{M}\p{N}]+[\r\n]*|${gaps}`]],
  ['laguna', [lines, qwen2]],
  ['ufakzeka', [raw`${word}|\p{N}|${signs}[\r\n]*|${gaps}`]],
  ['seed-coder', [raw`${contraction}|${word}|\p{N}| ?[^${space}\p{L}\p{N}\r\n]+|${gaps}`]],
  [
    'bailingmoe bailingmoe2 llada-moe',
    [raw`'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|${word}|\p{N}|${signs}[\r\n]*|${singleBreakGaps}`],
  ],
  [
    'exaone-moe',
    [raw`${contraction}|${sign}(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}|${signs}[\r\n/]?|${singleBreakGaps}`],
  ],
  [
    'gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert mpt olmo jais trillion ' +
      'granite-docling exaone4 jina-v1-en jina-v2-code roberta-bpe',
    [gpt2],
  ],
  ['starcoder refact command-r smollm codeshell exaone minerva-7b mellum2', [raw`\p{N}`, gpt2]],
  ['falcon', [raw`[\p{P}\$\+<=>\^~\|\x60]+`, gpt2, '[0-9][0-9][0-9]']],
  ['default', [raw`[\p{P}\$\+<=>\^~\|]+`, gpt2, raw`\p{N}+`, '[0-9][0-9][0-9]']],
  ['bloom poro-chat gpt3-finnish', [bloom]],
  ['viking', [bloom, raw`\p{N}`]],
  [
    'tekken',
    [raw`${casedWords(raw`\p{L}`, '')}|\p{N}|${signsWithSlash}|${gaps}`],
    { ignoreMerges: true, addBos: true },
  ],
  ['gpt-4o llama4 kanana2 talkie minimax-m2', [gpt4o(raw`\p{L}`)]],
  ['granite-embed-multi-97m', [gpt4o(raw`\p{L}\p{M}`)], { ignoreMerges: true }],
  ['tiny_aya cohere2moe', [splitDigitGroups, raw`${uncasedWords}|\p{N}{1,3}|${signsWithSlash}|${gaps}`]],
  ['youtu', [youtuScripts, raw`${uncasedWords}|\p{N}|${signsWithSlash}|${gaps}`], { ignoreMerges: true }],
  ['afmoe', [splitDigitGroups, afmoeScripts, deepseek3]],
  [
    'deepseek-llm',
    [
      raw`[\r\n]`,
      raw`[${space}]?[${deepseekLetters}]+`,
      raw`[${space}]?[${deepseekSigns}]+`,
      raw`[${space}]+$`,
      cjk,
      raw`\p{N}+`,
    ],
  ],
  ['deepseek-coder', [raw`[\r\n]`, raw`[${space}]?\p{L}+`, raw`[${space}]?\p{P}+`, cjk, raw`\p{N}`]],
  ['deepseek-v3 hunyuan-dense joyai-llm hy_v4', [raw`\p{N}{1,3}`, hanAndKana, deepseek3]],
  [
    'spark2_5',
    [
      raw`\p{N}{1,3}`,
      hanAndKana,
      raw`${asciiWord}|${markedWord}| ?[\p{P}\p{S}]+|[\r\n]|${spaces}`,
      raw`\p{N}`,
    ],
  ],
  ['gemma4 granite-embed-multi-311m sarvam-moe', [lines], { byteEncoded: false }],
]

const byName = new Map(rows.flatMap((row) => row[0].split(' ').map((name) => [name, row] as const)))

/** Returns the pre-tokenizer of a name. Old files have none, which means llama.cpp's `default`. @throws ModelUnavailableError for an unknown name */
export function preTokenizer(name: string | undefined): PreTokenizer {
  const row = byName.get(name || 'default')
  if (row === undefined) {
    throw new ModelUnavailableError(
      `The model's tokenizer splits words in a way that is not supported (tokenizer.ggml.pre: ${name}). ` +
        'Use another model, or a newer version of this program.',
    )
  }
  const [, splits, traits] = row
  return {
    splits: splits.map((split) => (typeof split === 'string' ? splitBy(split) : split)),
    ignoreMerges: false,
    addBos: false,
    byteEncoded: true,
    ...traits,
  }
}

/** All supported names. */
export const preTokenizerNames: readonly string[] = [...byName.keys()]
