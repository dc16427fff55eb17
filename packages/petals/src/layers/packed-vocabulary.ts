/**
 * The pieces and merges of a BPE vocabulary, packed into typed arrays. As strings, maps and pairs, those of 128,000 tokens take
 * most of a second to make and 100 MB.
 */

/** Bits of a character code enter the hash one code after another (FNV-1a with 16-bit units). */
export const emptyHash = 0x811c9dc5 | 0
export const withCode = (hash: number, code: number): number => Math.imul(hash ^ code, 0x01000193)

/**
 * How far an entry may lie from its place in a hash table. Half of a table is empty, so that real vocabularies stay far below.
 * Only a file that was made to slow down the search does not, and is not packed.
 */
const maxProbes = 256

/** What a packed vocabulary can't hold: a piece that occurs twice, a merge of something that is no piece. */
export class NotPackable extends Error {
  override readonly name = 'NotPackable'
}

/** Texts one after another, with a hash for each. */
export interface PackedTexts {
  /** UTF-16 codes. */
  readonly codes: Uint16Array
  /** Where each text begins, and after the last one, where that ends. */
  readonly starts: Int32Array
  readonly hashes: Int32Array
  readonly count: number
}

/** Twice as many places as entries, or more. */
const tableFor = (count: number): Int32Array => new Int32Array(2 ** Math.ceil(Math.log2(2 * count + 2)))

/** Low bits of a product depend on low bits only; this lets all take part. */
const placeOf = (hash: number, table: Int32Array): number => (hash ^ (hash >>> 15)) & (table.length - 1)

/** What `PackedPieces` are made of. */
export interface PiecesParts {
  readonly texts: PackedTexts
  /** The id of each piece. */
  readonly ids: Int32Array
  /** Index + 1 of the piece in each place. */
  readonly table: Int32Array
  /** Index + 1 of the piece of each id. */
  readonly indexes: Int32Array
}

/** The pieces of a vocabulary. A piece is named by its index, which is its place in the file; its id is that of the token. */
export class PackedPieces {
  readonly parts: PiecesParts
  readonly #texts: PackedTexts
  readonly #ids: Int32Array
  readonly #table: Int32Array
  readonly #indexes: Int32Array

  /** @param parts those of other pieces */
  constructor(parts: PiecesParts) {
    this.parts = parts
    this.#texts = parts.texts
    this.#ids = parts.ids
    this.#table = parts.table
    this.#indexes = parts.indexes
  }

  /** @throws NotPackable */
  static of(texts: PackedTexts, ids: Int32Array): PackedPieces {
    const indexes = new Int32Array(ids.reduce((most, id) => Math.max(most, id), -1) + 1)
    const pieces = new PackedPieces({ texts, ids, table: tableFor(texts.count), indexes })
    for (let index = 0; index < texts.count; index++) {
      pieces.#insert(index)
      indexes[ids[index]!] = index + 1
    }
    return pieces
  }

  /** Returns the index of a text, or -1 if it is no piece. */
  find(text: string): number {
    const { length } = text
    let hash = emptyHash
    for (let at = 0; at < length; at++) hash = withCode(hash, text.charCodeAt(at))
    const { codes, hashes, starts } = this.#texts
    for (let probe = 0; probe < maxProbes; probe++) {
      const index = this.#at(hash, probe)
      if (index < 0) return -1
      if (hashes[index] !== hash || starts[index + 1]! - starts[index]! !== length) continue
      let same = 0
      while (same < length && codes[starts[index]! + same] === text.charCodeAt(same)) same++
      if (same === length) return index
    }
    return -1
  }

  /** Returns the index of the codes from `start` to `end`, which have this hash, or -1 if they are no piece. */
  findCodes(from: Uint16Array, start: number, end: number, hash: number): number {
    for (let probe = 0; probe < maxProbes; probe++) {
      const index = this.#at(hash, probe)
      if (index < 0 || this.#equals(index, from, start, end, hash)) return index
    }
    return -1
  }

  idAt(index: number): number {
    return this.#ids[index]!
  }

  /** Returns the piece of a token; undefined if the vocabulary has none for this id. */
  pieceOf(id: number): string | undefined {
    const index = (this.#indexes[id] ?? 0) - 1
    if (index < 0) return undefined
    const { codes, starts } = this.#texts
    return String.fromCharCode(...codes.subarray(starts[index], starts[index + 1]))
  }

  /** The index in the place that is tried after `probe` others; -1 if it is empty. */
  #at(hash: number, probe: number): number {
    return this.#table[(placeOf(hash, this.#table) + probe) & (this.#table.length - 1)]! - 1
  }

  #insert(index: number): void {
    const { codes, hashes, starts } = this.#texts
    const hash = hashes[index]!
    for (let probe = 0; probe < maxProbes; probe++) {
      const other = this.#at(hash, probe)
      if (other < 0) {
        this.#table[(placeOf(hash, this.#table) + probe) & (this.#table.length - 1)] = index + 1
        return
      }
      if (this.#equals(other, codes, starts[index]!, starts[index + 1]!, hash))
        throw new NotPackable('a piece occurs twice')
    }
    throw new NotPackable('too many pieces have the same place')
  }

  #equals(index: number, from: Uint16Array, start: number, end: number, hash: number): boolean {
    const { codes, hashes, starts } = this.#texts
    if (hashes[index] !== hash || starts[index + 1]! - starts[index]! !== end - start) return false
    const offset = starts[index]! - start
    for (let at = start; at < end; at++) if (codes[at + offset] !== from[at]) return false
    return true
  }
}

/** What `PackedMerges` are made of, in the order of their ranks. */
export interface MergesParts {
  readonly lefts: Int32Array
  readonly rights: Int32Array
  readonly results: Int32Array
  /** Rank + 1 of the merge in each place. */
  readonly table: Int32Array
}

/** The merges of two pieces into one; pieces by their indexes. A merge is named by its rank: those of lower rank come first. */
export class PackedMerges {
  readonly parts: MergesParts
  readonly #lefts: Int32Array
  readonly #rights: Int32Array
  readonly #results: Int32Array
  readonly #table: Int32Array

  /** @param parts those of other merges */
  constructor(parts: MergesParts) {
    this.parts = parts
    this.#lefts = parts.lefts
    this.#rights = parts.rights
    this.#results = parts.results
    this.#table = parts.table
  }

  /** Merges all in the order of their ranks. @throws NotPackable */
  static of(lefts: Int32Array, rights: Int32Array, results: Int32Array): PackedMerges {
    const merges = new PackedMerges({ lefts, rights, results, table: tableFor(lefts.length) })
    for (let rank = 0; rank < lefts.length; rank++) merges.#insert(rank)
    return merges
  }

  /** Returns the rank of a merge, or -1 if the two pieces are not merged. */
  rankOf(left: number, right: number): number {
    if (left < 0 || right < 0) return -1
    const place = this.#placeOf(left, right)
    return place < 0 ? -1 : this.#table[place]! - 1
  }

  /** The index of the piece that the merge of this rank makes. */
  resultOf(rank: number): number {
    return this.#results[rank]!
  }

  /** Of two merges of the same pieces the last one counts. */
  #insert(rank: number): void {
    const place = this.#placeOf(this.#lefts[rank]!, this.#rights[rank]!)
    if (place < 0) throw new NotPackable('too many merges have the same place')
    this.#table[place] = rank + 1
  }

  /** The place of a merge, or the empty one where it would be; -1 if there is neither. */
  #placeOf(left: number, right: number): number {
    const table = this.#table
    const home = placeOf(withCode(withCode(emptyHash, left), right), table)
    for (let probe = 0; probe < maxProbes; probe++) {
      const place = (home + probe) & (table.length - 1)
      const rank = table[place]! - 1
      if (rank < 0 || (this.#lefts[rank] === left && this.#rights[rank] === right)) return place
    }
    return -1
  }
}

/** A BPE vocabulary. */
export interface PackedVocabulary {
  readonly pieces: PackedPieces
  readonly merges: PackedMerges
}
