/** The encodings that a reader can choose for a file, with the names of the Encoding Standard. */
export const encodings = [
  ...['utf-8', 'utf-16le', 'utf-16be', 'windows-1252', 'windows-1250', 'windows-1251', 'koi8-r'],
  ...['windows-1253', 'windows-1254', 'windows-1255', 'windows-1256', 'iso-8859-15'],
  ...['shift_jis', 'euc-jp', 'gb18030', 'big5', 'euc-kr'],
] as const
export type Encoding = (typeof encodings)[number]

/** How many bytes of a file are examined. */
const SAMPLE_BYTES = 65_536
/** From this score on, the bytes are more likely text than anything else. */
const MIN_SCORE = 0.25

/** The first bytes of pictures, archives, documents and programs. */
const binary =
  /^(?:\x89PNG|\xff\xd8\xff|GIF8|PK\x03\x04|%PDF-|\x7fELF|\x1f\x8b|RIFF|OggS|ID3|BZh|\xd0\xcf\x11\xe0|7z\xbc\xaf|MZ)/

/**
 * Guesses the encoding of a text file from its bytes; undefined if it is no text. UTF-8 and the byte order marks of UTF-16
 * are certain. Otherwise the encoding wins that yields letters of one language: common Chinese, Japanese and Korean
 * characters, and letters beside letters of their own script.
 */
export function guessEncoding(bytes: Uint8Array): Encoding | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  if (isTextual(decodeAs(bytes, 'utf-8'))) return 'utf-8'
  if (binary.test(String.fromCharCode(...bytes.subarray(0, 8)))) return undefined
  const sample = bytes.subarray(0, SAMPLE_BYTES)
  const scores = candidates
    .map(({ encoding, score }) => ({ encoding, score: scoreOf(sample, encoding, score) }))
    .toSorted((a, b) => b.score - a.score)
  return scores.find(({ encoding, score }) => score >= MIN_SCORE && isLikely(decodeAs(bytes, encoding)))
    ?.encoding
}

type Score = (text: string, bytes: Uint8Array) => number

interface Candidate {
  readonly encoding: Encoding
  readonly score: Score
}

function scoreOf(bytes: Uint8Array, encoding: Encoding, score: Score): number {
  // The last character of a sample may be incomplete.
  const text =
    decodeAs(bytes, encoding) ??
    (bytes.length < SAMPLE_BYTES ? undefined : decodeAs(bytes.subarray(0, -1), encoding))
  return isLikely(text) ? score(text, bytes) : -1
}

/** Averages the scores of the characters beyond ASCII. */
const mean =
  (worth: (character: string, before: string, after: string) => number): Score =>
  (text) => {
    let sum = 0
    let count = 0
    for (let index = 0; index < text.length; index++) {
      if (text.charCodeAt(index) < 128) continue
      count++
      sum += worth(text[index]!, text[index - 1] ?? '', text[index + 1] ?? '')
    }
    return count === 0 ? -1 : sum / count
  }

const letter = /\p{L}/u
const asciiLetter = /[A-Za-z]/
const typography = /[“”‘’„‚«»‹›–—…€£§°·•©®ªº¡¿]/

/** Accented Latin letters stand among plain ones; two in a row are rare, and capitals within a word rarer still. */
const latin = mean((character, before, after) => {
  if (typography.test(character)) return 0.4
  if (!letter.test(character)) return -0.7
  if (asciiLetter.test(before) && /\p{Lu}/u.test(character) && /[a-z]/.test(before)) return -0.5
  return asciiLetter.test(before) || asciiLetter.test(after)
    ? 1
    : before.trim() + after.trim() === ''
      ? 0.3
      : -0.4
})

/** Letters of another script stand among their own, and a capital begins a word. */
const script = (name: string): Score => {
  const own = new RegExp(`\\p{Script=${name}}`, 'u')
  return mean((character, before, after) => {
    if (typography.test(character)) return 0.3
    if (!own.test(character)) return -0.7
    if (asciiLetter.test(before) || asciiLetter.test(after)) return -0.7
    if (/\p{Lu}/u.test(character) && /\p{Ll}/u.test(before)) return -1
    // Hebrew has letters for the end of a word, which stand nowhere else.
    if (/[ךםןףץ]/.test(character) && own.test(after)) return -2
    return own.test(before) || own.test(after) ? 0.9 : 0.3
  })
}

/** Averages the scores of byte pairs. */
const pairs =
  (worth: (lead: number, trail: number) => number): Score =>
  (_, bytes) => {
    let sum = 0
    let count = 0
    for (let index = 0; index < bytes.length; index++) {
      const lead = bytes[index]!
      if (lead < 128) continue
      count++
      sum += worth(lead, bytes[index + 1] ?? 0)
      index++
    }
    return count === 0 ? -1 : sum / count
  }
const within = (byte: number, from: number, to: number): boolean => byte >= from && byte <= to

/** Level 1 of each standard holds the characters in common use, ordered by reading or strokes. */
const chinese = pairs((lead, trail) => {
  if (trail < 0xa1) return -0.8
  if (within(lead, 0xb0, 0xd7)) return 0.8
  return lead === 0xa1 || lead === 0xa3 ? 0.5 : lead === 0xa4 || lead === 0xa5 ? -0.5 : -0.4
})
const korean = pairs((lead, trail) => {
  if (trail < 0xa1) return -0.8
  return within(lead, 0xb0, 0xc8) ? 0.95 : within(lead, 0xa1, 0xa3) ? 0.4 : -2
})
const taiwanese = pairs((lead, trail) => {
  if (within(lead, 0xa4, 0xc6)) return trail < 0xa1 ? 0.9 : 0.7
  return lead === 0xa1 ? 0.5 : -0.8
})
const japaneseUnix = pairs((lead) => {
  if (lead === 0xa4 || lead === 0xa5) return 1.2
  return within(lead, 0xb0, 0xcf) ? 0.6 : within(lead, 0xa1, 0xa3) ? 0.5 : -0.6
})

const japaneseWindows = mean((character) => {
  if (/[\u3041-\u30ff]/.test(character)) return 1.2
  if (/[\u3000-\u303f\uff01-\uff5e]/.test(character)) return 0.4
  return /[\uff61-\uff9f]/.test(character) ? -0.7 : /\p{Script=Han}/u.test(character) ? 0.35 : -0.4
})

/**
 * Without a byte order mark, accepts UTF-16 only if nearly all characters belong to scripts in use, with spaces or
 * stops.
 */
const utf16: Score = (text) => {
  const usual =
    /[\t\n\r -~\u00a0-\u024f\u0370-\u052f\u0590-\u06ff\u0900-\u097f\u0e00-\u0e7f\u2010-\u203a\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e]/g
  const share = (text.match(usual)?.length ?? 0) / text.length
  return share > 0.95 && /[ \n\u3001\u3002]/.test(text) ? 1.5 * share : -1
}

/** If two score the same, the first wins. */
const candidates: readonly Candidate[] = [
  { encoding: 'utf-16le', score: utf16 },
  { encoding: 'utf-16be', score: utf16 },
  { encoding: 'shift_jis', score: japaneseWindows },
  { encoding: 'euc-jp', score: japaneseUnix },
  { encoding: 'euc-kr', score: korean },
  { encoding: 'gb18030', score: chinese },
  { encoding: 'big5', score: taiwanese },
  { encoding: 'windows-1252', score: latin },
  { encoding: 'windows-1250', score: latin },
  { encoding: 'windows-1254', score: latin },
  { encoding: 'windows-1255', score: script('Hebrew') },
  { encoding: 'windows-1251', score: script('Cyrillic') },
  { encoding: 'koi8-r', score: script('Cyrillic') },
  { encoding: 'windows-1253', score: script('Greek') },
  { encoding: 'windows-1256', score: script('Arabic') },
]

/** Decodes bytes and normalizes line ends to `\n`; undefined if the bytes are invalid in the encoding. */
export function decodeAs(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes).replaceAll(/\r\n?/g, '\n')
  } catch {
    return undefined
  }
}

/** Control characters that text does not contain. Form feeds and escapes (terminal colours) do occur in text. */
const controls = /[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]/
/** Characters that result from a wrong encoding: more control characters, private use and non-characters. */
const leftovers = /[\x7f-\x9f\ue000-\uf8ff\ufffe\uffff]/

export const isTextual = (text: string | undefined): text is string =>
  text !== undefined && !controls.test(text)

/** A stricter check for a guessed encoding. */
const isLikely = (text: string | undefined): text is string => isTextual(text) && !leftovers.test(text)
