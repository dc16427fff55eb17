/** An entry of tokenizer.json's `pre_tokenizer`. */
export interface PreTokenizer {
  readonly type: string
  readonly individual_digits?: boolean
  readonly use_regex?: boolean
  /** Of `Metaspace`. */
  readonly add_prefix_space?: boolean
  readonly prepend_scheme?: string
  readonly split?: boolean
  readonly pattern?: { readonly Regex?: string; readonly String?: string }
  readonly pretokenizers?: readonly PreTokenizer[]
}

const split = (regex: string): unknown => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
})

/** How byte-level BPE cuts text into words (openai/gpt-2, src/encoder.py). */
const gpt2Words =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+"

/** JavaScript's \s has U+FEFF and lacks U+0085; Unicode's White_Space, which the Rust library goes by, is the reverse. */
const unicodeSpaces = (regex: string): string =>
  regex.replace(/\\[\s\S]/g, (escape) =>
    escape === '\\s' ? '\\p{White_Space}' : escape === '\\S' ? '\\P{White_Space}' : escape,
  )

/**
 * The same pre-tokenizer in a form that `@huggingface/tokenizers` runs exactly as the Rust library does. Left to itself
 * it takes ASCII digits for `Digits`, where Rust takes all numbers of Unicode (which, after byte-level encoding, even are
 * parts of other characters), takes JavaScript's white space for Unicode's, and does not cut at the ▁ of `Metaspace`.
 */
export function portablePreTokenizer(entry: PreTokenizer | null | undefined): unknown {
  switch (entry?.type) {
    case 'Sequence':
      return { ...entry, pretokenizers: entry.pretokenizers?.map(portablePreTokenizer) }
    case 'Digits':
      return split(entry.individual_digits ? '\\p{N}' : '\\p{N}+')
    case 'ByteLevel':
      if (entry.use_regex === false) return entry
      return { type: 'Sequence', pretokenizers: [split(gpt2Words), { ...entry, use_regex: false }] }
    case 'Split':
      if (entry.pattern?.Regex === undefined) return entry
      return { ...entry, pattern: { Regex: unicodeSpaces(entry.pattern.Regex) } }
    case 'Metaspace':
      return portableMetaspace(entry)
    default:
      return entry
  }
}

function portableMetaspace(entry: PreTokenizer): unknown {
  const scheme = entry.prepend_scheme ?? (entry.add_prefix_space === false ? 'never' : 'always')
  const spaces = { ...entry, prepend_scheme: scheme }
  if (entry.split === false) return spaces
  return { type: 'Sequence', pretokenizers: [spaces, split('▁[^▁]*')] }
}
