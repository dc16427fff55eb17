/**
 * Reads the directory of a ZIP archive as PyTorch writes it: entries are not compressed, and archives above 4 GiB have ZIP64
 * records. Format: APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3.
 */

export interface ZipEntry {
  readonly name: string
  readonly isCompressed: boolean
  readonly byteLength: number
  /** Offset of the local header in the archive. */
  readonly headerOffset: number
}

export class ZipError extends Error {
  override readonly name = 'ZipError'
}

/** Reads the bytes [start, end) of the archive. */
export type ReadBytes = (start: number, end: number) => Promise<Uint8Array>

const endSignature = 0x06054b50
const endSize = 22
const end64LocatorSignature = 0x07064b50
const end64LocatorSize = 20
const end64Signature = 0x06064b50
const end64Size = 56
const entrySignature = 0x02014b50
const entrySize = 46
const localSignature = 0x04034b50
const localSize = 30
const zip64Extra = 0x0001
/** Stands for "see the ZIP64 record". */
const elsewhere = 0xffffffff
/** A directory of 100,000 tensors takes 10 MB. */
const maxDirectoryBytes = 64 * 2 ** 20
/** The end record may be followed by a comment of up to 64 KiB; PyTorch writes none. */
const tailBytes = 64 * 1024

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function uint64(view: DataView, offset: number): number {
  if (offset + 8 > view.byteLength) throw new ZipError('its directory ends in the middle')
  const value = Number(view.getBigUint64(offset, true))
  if (!Number.isSafeInteger(value)) throw new ZipError('its directory has an impossible number')
  return value
}

/** Reads all entries, by name. @throws ZipError if the file is not a ZIP archive, or is damaged */
export async function readZipDirectory(
  read: ReadBytes,
  byteLength: number,
): Promise<ReadonlyMap<string, ZipEntry>> {
  if (byteLength < endSize) throw new ZipError('it is not a ZIP archive')
  const tailStart = Math.max(0, byteLength - tailBytes)
  const { start, size } = await locateDirectory(await read(tailStart, byteLength), tailStart, read)
  if (size > maxDirectoryBytes || start + size > byteLength)
    throw new ZipError('its directory is not where it should be')
  return size === 0 ? new Map() : parseDirectory(await read(start, start + size))
}

interface DirectoryPlace {
  readonly start: number
  readonly size: number
}

async function locateDirectory(
  tail: Uint8Array,
  tailStart: number,
  read: ReadBytes,
): Promise<DirectoryPlace> {
  const view = viewOf(tail)
  let end = tail.length - endSize
  while (end >= 0 && view.getUint32(end, true) !== endSignature) end--
  if (end < 0) throw new ZipError('it is not a ZIP archive')
  const size = view.getUint32(end + 12, true)
  const start = view.getUint32(end + 16, true)
  const locator = end - end64LocatorSize
  const has64 = locator >= 0 && view.getUint32(locator, true) === end64LocatorSignature
  if (!has64) return { start, size }
  const recordStart = uint64(view, locator + 8)
  if (recordStart + end64Size > tailStart + locator)
    throw new ZipError('its directory is not where it should be')
  const record = viewOf(await read(recordStart, recordStart + end64Size))
  if (record.getUint32(0, true) !== end64Signature)
    throw new ZipError('its directory is not where it should be')
  return { size: uint64(record, 40), start: uint64(record, 48) }
}

function parseDirectory(bytes: Uint8Array): ReadonlyMap<string, ZipEntry> {
  const view = viewOf(bytes)
  const entries = new Map<string, ZipEntry>()
  for (let offset = 0; offset + entrySize <= bytes.length;) {
    if (view.getUint32(offset, true) !== entrySignature) break
    const nameEnd = offset + entrySize + view.getUint16(offset + 28, true)
    const extraEnd = nameEnd + view.getUint16(offset + 30, true)
    if (extraEnd > bytes.length) throw new ZipError('its directory ends in the middle')
    const name = new TextDecoder().decode(bytes.subarray(offset + entrySize, nameEnd))
    const [byteLength, , headerOffset] = withZip64(
      [
        view.getUint32(offset + 24, true),
        view.getUint32(offset + 20, true),
        view.getUint32(offset + 42, true),
      ],
      viewOf(bytes.subarray(nameEnd, extraEnd)),
    )
    const isCompressed = view.getUint16(offset + 10, true) !== 0
    entries.set(name, { name, isCompressed, byteLength: byteLength!, headerOffset: headerOffset! })
    offset = extraEnd + view.getUint16(offset + 32, true)
  }
  return entries
}

/** Returns size, compressed size and offset. Values that do not fit 32 bits are in the extra field, in this order. */
function withZip64(values: readonly number[], extra: DataView): readonly number[] {
  if (!values.includes(elsewhere)) return values
  for (let offset = 0; offset + 4 <= extra.byteLength;) {
    if (extra.getUint16(offset, true) === zip64Extra) {
      let next = offset + 4
      return values.map((value) => {
        if (value !== elsewhere) return value
        next += 8
        return uint64(extra, next - 8)
      })
    }
    offset += 4 + extra.getUint16(offset + 2, true)
  }
  throw new ZipError('its directory lacks the numbers of a large archive')
}

/** Returns where an entry's data begin: after its local header, whose length differs from that in the directory. */
export async function dataOffset(read: ReadBytes, { name, headerOffset }: ZipEntry): Promise<number> {
  const view = viewOf(await read(headerOffset, headerOffset + localSize))
  if (view.getUint32(0, true) !== localSignature)
    throw new ZipError(`its entry '${name}' is not where it should be`)
  return headerOffset + localSize + view.getUint16(26, true) + view.getUint16(28, true)
}
