import { parseJson } from './json-file.ts'
import {
  emptyHash,
  NotPackable,
  PackedMerges,
  PackedPieces,
  withCode,
  type PackedVocabulary,
} from './packed-vocabulary.ts'
import { MAX_MERGES, MAX_PIECE_LENGTH, MAX_TOKENS } from './tokenizer-json.ts'

/** A text whose vocabulary is packed. */
export interface PackedText {
  /** The text with an empty `model.vocab` and `model.merges`. */
  readonly rest: string
  readonly vocabulary: PackedVocabulary
}

/** The content of tokenizer.json. */
export interface TokenizerText extends Partial<PackedText> {
  /** The parsed text; without the pieces and merges if `vocabulary` has them. */
  readonly content: unknown
}

/**
 * Parses the text of tokenizer.json. The vocabulary of a BPE tokenizer is read in one pass, without making an object for each
 * piece and merge. A text that is anything but plain (a fault, a piece that occurs twice, another kind of model) is left to
 * `JSON.parse`, which takes some times as long, and to the checks after it, which say what is wrong.
 * @throws ModelUnavailableError that names `what` if it is not JSON
 */
export function readTokenizerText(text: string, what: string): TokenizerText {
  const packed = packVocabulary(text)
  const content = packed && parseJson(packed.rest, what)
  return isPlainBpe(content) ? { content, ...packed } : { content: parseJson(text, what) }
}

/** Affixes of words are rare, and the library knows them. */
function isPlainBpe(content: unknown): boolean {
  const { model } = (content ?? {}) as { readonly model?: Readonly<Record<string, unknown>> }
  const affixes = ['continuing_subword_prefix', 'continuing_subword_suffix', 'end_of_word_suffix']
  return model?.type === 'BPE' && !affixes.some((name) => model[name])
}

function packVocabulary(text: string): PackedText | undefined {
  try {
    return new VocabularyReader(text).packed()
  } catch (error) {
    if (error instanceof NotPackable) return undefined
    throw error
  }
}

const space = 0x20
const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const backslash = 0x5c
const zero = 0x30
const nine = 0x39
const openList = 0x5b
const closeList = 0x5d
const openObject = 0x7b
const closeObject = 0x7d

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** Steps through a JSON text. What it skips is not checked: the text that is left is parsed afterwards. */
class JsonReader {
  readonly text: string
  at = 0

  constructor(text: string) {
    this.text = text
  }

  /** Steps over the object that comes next. `readValue` steps over the values that it wants, and returns true for them. */
  object(readValue: (key: string) => boolean): void {
    this.expect(openObject)
    if (this.next(closeObject)) return
    do {
      const key = this.#key()
      this.expect(colon)
      this.skipSpace()
      if (!readValue(key)) this.#skipValue()
    } while (this.next(comma))
    this.expect(closeObject)
  }

  expect(code: number): void {
    if (!this.next(code)) throw new NotPackable('another sign is expected')
  }

  /** Steps over the sign if it comes next. */
  next(code: number): boolean {
    this.skipSpace()
    if (this.text.charCodeAt(this.at) !== code) return false
    this.at++
    return true
  }

  skipSpace(): void {
    while (isSpace(this.text.charCodeAt(this.at))) this.at++
  }

  #key(): string {
    this.skipSpace()
    const start = this.at
    this.#skipString()
    return this.text.slice(start + 1, this.at - 1)
  }

  #skipString(): void {
    this.expect(quote)
    const { text } = this
    let { at } = this
    for (let code = text.charCodeAt(at++); code !== quote; code = text.charCodeAt(at++)) {
      if (code === backslash) at++
      if (at >= text.length) throw new NotPackable('a string does not end')
    }
    this.at = at
  }

  /** Steps to the end of the value. A loop, since deep nesting must not use up the stack. */
  #skipValue(): void {
    let depth = 0
    while (this.at < this.text.length) {
      const code = this.text.charCodeAt(this.at)
      const isClosing = code === closeList || code === closeObject
      if (depth === 0 && (isClosing || code === comma)) return
      if (code === openList || code === openObject) depth++
      if (isClosing) depth--
      if (code === quote) this.#skipString()
      else this.at++
    }
  }
}

/** The least that a piece or a merge takes in the text: `"":0,`, `"a b",`. */
const shortestEntry = 5

const escapes: ReadonlyMap<string, number> = new Map([
  ['"', quote],
  ['\\', backslash],
  ['/', 0x2f],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
])

/** Reads a vocabulary and its merges. The characters of pieces are kept, those of a merge only until its pieces are found. */
class VocabularyReader extends JsonReader {
  readonly #codes: Uint16Array
  #end = 0

  constructor(text: string) {
    super(text)
    // The system gives memory only to the part that is written.
    this.#codes = new Uint16Array(text.length)
  }

  /** @throws NotPackable */
  packed(): PackedText {
    let rest = ''
    let cut = 0
    let pieces: PackedPieces | undefined
    let merges: PackedMerges | undefined
    const leaveOut = (read: () => void, empty: string): true => {
      rest += this.text.slice(cut, this.at) + empty
      read()
      cut = this.at
      return true
    }
    const readPart = (key: string): boolean => {
      if (key === 'vocab' && !pieces) return leaveOut(() => (pieces = this.#pieces()), '{}')
      if (key === 'merges' && pieces && !merges) return leaveOut(() => (merges = this.#merges(pieces!)), '[]')
      if (key === 'vocab' || key === 'merges') throw new NotPackable('the order is another one')
      return false
    }
    this.object((key) => {
      if (key !== 'model') return false
      this.object(readPart)
      return true
    })
    if (!pieces || !merges) throw new NotPackable('the model is not BPE')
    return { rest: rest + this.text.slice(cut), vocabulary: { pieces, merges } }
  }

  #pieces(): PackedPieces {
    const most = Math.min(MAX_TOKENS, Math.ceil(this.text.length / shortestEntry))
    const [starts, hashes, ids] = [new Int32Array(most + 1), new Int32Array(most), new Int32Array(most)]
    let count = 0
    this.expect(openObject)
    do {
      if (count === most) throw new NotPackable('there are too many pieces')
      hashes[count] = this.#string()
      this.expect(colon)
      ids[count] = this.#id()
      starts[++count] = this.#end
    } while (this.next(comma))
    this.expect(closeObject)
    const codes = this.#codes.slice(0, this.#end)
    const texts = { codes, starts: starts.slice(0, count + 1), hashes: hashes.slice(0, count), count }
    return PackedPieces.of(texts, ids.slice(0, count))
  }

  /** Reads merges as lines (`"a b"`) or as pairs (`["a", "b"]`). */
  #merges(pieces: PackedPieces): PackedMerges {
    const most = Math.min(MAX_MERGES, Math.ceil(this.text.length / shortestEntry))
    const [lefts, rights, results] = [new Int32Array(most), new Int32Array(most), new Int32Array(most)]
    const start = this.#end
    let count = 0
    this.expect(openList)
    const isEmpty = this.next(closeList)
    const arePairs = this.text.charCodeAt(this.at) === openList
    while (!isEmpty && (count === 0 || this.next(comma))) {
      if (count === most) throw new NotPackable('there are too many merges')
      const middle = arePairs ? this.#pair() : this.#line()
      lefts[count] = this.#find(pieces, start, middle)
      rights[count] = this.#find(pieces, middle, this.#end)
      results[count++] = this.#find(pieces, start, this.#end)
      this.#end = start
    }
    if (!isEmpty) this.expect(closeList)
    return PackedMerges.of(lefts.slice(0, count), rights.slice(0, count), results.slice(0, count))
  }

  /** Reads the characters of two pieces. Returns where the second one begins. */
  #pair(): number {
    this.expect(openList)
    this.#string()
    const middle = this.#end
    this.expect(comma)
    this.#string()
    this.expect(closeList)
    return middle
  }

  /** Reads the characters of two pieces with a space between them, and removes it. Returns where the second one begins. */
  #line(): number {
    let at = this.#end
    this.#string()
    const codes = this.#codes
    const last = this.#end - 1
    while (at < last && codes[at] !== space) at++
    if (at > last || codes[at] !== space) throw new NotPackable('a merge is no pair')
    const middle = at
    for (; at < last; at++) {
      const code = codes[at + 1]!
      if (code === space) throw new NotPackable('a merge has two spaces')
      codes[at] = code
    }
    this.#end = last
    return middle
  }

  #find(pieces: PackedPieces, start: number, end: number): number {
    let hash = emptyHash
    for (let at = start; at < end; at++) hash = withCode(hash, this.#codes[at]!)
    const index = pieces.findCodes(this.#codes, start, end, hash)
    if (index < 0) throw new NotPackable('a merge has something that is no piece')
    return index
  }

  /** Reads a string to the end of the codes. Returns its hash. */
  #string(): number {
    this.expect(quote)
    const { text } = this
    const codes = this.#codes
    let { at } = this
    let end = this.#end
    let hash = emptyHash
    for (let code = text.charCodeAt(at++); code !== quote; code = text.charCodeAt(at++)) {
      if (code === backslash) {
        code = this.#escape(at)
        at += text[at] === 'u' ? 5 : 1
      } else if (!(code >= 0x20)) throw new NotPackable('a string has a control character, or no end')
      codes[end++] = code
      hash = withCode(hash, code)
    }
    if (end - this.#end > MAX_PIECE_LENGTH) throw new NotPackable('a piece is too long')
    this.at = at
    this.#end = end
    return hash
  }

  /** Returns the code that the escape after a backslash stands for. */
  #escape(at: number): number {
    const sign = this.text[at] ?? ''
    const digits = this.text.slice(at + 1, at + 5)
    const code =
      sign === 'u' && /^[\da-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : escapes.get(sign)
    if (code === undefined) throw new NotPackable('there is no such escape')
    return code
  }

  #id(): number {
    this.skipSpace()
    const start = this.at
    let id = 0
    let code = this.text.charCodeAt(this.at)
    for (; code >= zero && code <= nine && id <= MAX_TOKENS; code = this.text.charCodeAt(++this.at))
      id = id * 10 + code - zero
    const digits = this.at - start
    if (digits === 0 || id > MAX_TOKENS || (digits > 1 && this.text.charCodeAt(start) === zero))
      throw new NotPackable('an id is no small whole number')
    return id
  }
}
