/** An entry of tokenizer.json's `pre_tokenizer`. */
export interface PreTokenizer {
  readonly type: string
  readonly individual_digits?: boolean
  readonly use_regex?: boolean
  /** This key and the next two belong to `Metaspace`. */
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

/** The regular expression by which byte-level BPE splits text into words (openai/gpt-2, src/encoder.py). */
const gpt2Words =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+"

/** JavaScript's \s contains U+FEFF but not U+0085. Unicode's White_Space, which the Rust library uses, is the reverse. */
const unicodeSpaces = (regex: string): string =>
  regex.replace(/\\[\s\S]/g, (escape) =>
    escape === '\\s' ? '\\p{White_Space}' : escape === '\\S' ? '\\P{White_Space}' : escape,
  )

/**
 * Returns the pre-tokenizer in a form that `@huggingface/tokenizers` runs exactly as the Rust library does. Without this
 * rewriting, `Digits` matches ASCII digits, where Rust matches all numbers of Unicode (after byte-level encoding these even
 * are parts of other characters); white space is JavaScript's instead of Unicode's; and `Metaspace` does not split at ▁.
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
