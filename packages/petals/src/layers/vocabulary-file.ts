import { mkdir, readFile, stat } from 'node:fs/promises'
import { endianness } from 'node:os'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { bytesOf } from '../tensor/tensor.ts'
import { DerivedFiles, type DerivedName, type Original, type RemovedFiles } from './derived-files.ts'
import { PackedMerges, PackedPieces } from './packed-vocabulary.ts'
import { makeWhole } from './storage.ts'
import type { PackedText } from './tokenizer-text.ts'

/**
 * Packed vocabularies that are kept between starts. Reading one takes a few milliseconds; packing it again takes 60 for 49,000
 * tokens, and 300 for 250,000.
 *
 * A file is whole numbers of 32 bits: a checksum of all that follows, the number of words of each list of `listsOf`, the bytes
 * of the codes and of the rest of the text, then these lists, the codes, and the rest as UTF-8.
 */
const vocabularyFiles = new DerivedFiles('vocabulary', 1)

const listCount = 9
const headBytes = 4 * (1 + listCount + 2)

/** The lists of whole numbers, in the order of the file. */
function listsOf({ vocabulary: { pieces, merges } }: PackedText): readonly Int32Array[] {
  const { texts, ids, table, indexes } = pieces.parts
  const { lefts, rights, results } = merges.parts
  return [texts.starts, texts.hashes, ids, table, indexes, lefts, rights, results, merges.parts.table]
}

/** The file that keeps the packed text of a tokenizer.json. */
export class VocabularyFile {
  readonly #folder: string
  readonly #name: DerivedName

  private constructor(folder: string, name: DerivedName) {
    this.#folder = folder
    this.#name = name
  }

  /** @param original a tokenizer.json as it is now: call this before it is read */
  static async of(original: Original, folder: string): Promise<VocabularyFile> {
    // Archives and images can give every file the same time; when it came to its place here, they can't tell.
    const { ctimeMs } = await stat(original.path)
    return new VocabularyFile(folder, await vocabularyFiles.nameOf(original, [endianness(), ctimeMs]))
  }

  /** Returns the packed text; undefined if it is not kept, or damaged. */
  async read(): Promise<PackedText | undefined> {
    const file = path.join(this.#folder, this.#name.file)
    const bytes = await readFile(file).catch(() => undefined)
    const text = bytes && unpack(bytes)
    if (text) await vocabularyFiles.markUsed(file)
    return text
  }

  /** Keeps the packed text for later starts, and removes what was kept of earlier content. */
  async keep(text: PackedText): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    await makeWhole(path.join(this.#folder, this.#name.file), (file) => file.writeFile(pack(text)))
    await vocabularyFiles.removeUseless(this.#folder, this.#name)
  }
}

/** Removes what is kept of a tokenizer.json. */
export const removeVocabularyFiles = (original: Original, folder: string): Promise<RemovedFiles> =>
  vocabularyFiles.removeOf(original, folder)

function pack(text: PackedText): Buffer {
  const lists = listsOf(text)
  const codes = bytesOf(text.vocabulary.pieces.parts.texts.codes)
  const rest = Buffer.from(text.rest)
  const head = new Uint32Array([0, ...lists.map(({ length }) => length), codes.length, rest.length])
  const bytes = Buffer.concat([bytesOf(head), ...lists.map(bytesOf), codes, rest])
  bytes.set(bytesOf(new Uint32Array([crc32(bytes.subarray(4))])))
  return bytes
}

/** Lists are views of the bytes, without a copy. Returns undefined if the bytes are not as they were written. */
function unpack(bytes: Buffer): PackedText | undefined {
  if (bytes.length < headBytes || bytes.byteOffset % 4 !== 0) return undefined
  const { buffer, byteOffset } = bytes
  const [checksum, ...sizes] = new Uint32Array(buffer, byteOffset, headBytes / 4)
  if (checksum !== crc32(bytes.subarray(4))) return undefined
  let at = byteOffset + headBytes
  const lists = sizes.values()
  const next = (): Int32Array => {
    const list = new Int32Array(buffer, at, lists.next().value)
    at += list.byteLength
    return list
  }
  const [starts, hashes, ids, table, indexes] = [next(), next(), next(), next(), next()]
  const merges = { lefts: next(), rights: next(), results: next(), table: next() }
  const codes = new Uint16Array(buffer, at, sizes[listCount]! / 2)
  const texts = { codes, starts, hashes, count: hashes.length }
  return {
    rest: bytes.toString('utf8', at - byteOffset + codes.byteLength),
    vocabulary: {
      pieces: new PackedPieces({ texts, ids, table, indexes }),
      merges: new PackedMerges(merges),
    },
  }
}
