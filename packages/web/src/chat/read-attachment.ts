import { decodeAs, type Encoding, encodings, guessEncoding, isTextual } from './guess-encoding.ts'
import { createId } from './id.ts'
import type { Attachment } from './types.ts'

/** The largest file, and the sum of a message's files, in bytes: about 250,000 and 500,000 tokens. */
export const MAX_FILE_BYTES = 1_000_000
export const MAX_TOTAL_BYTES = 2_000_000
export const MAX_FILES = 20

/** Why a file can't go into a prompt. */
export type AttachmentProblemKind =
  'too-large' | 'too-many' | 'all-too-large' | 'not-text' | 'empty' | 'unreadable'

export interface AttachmentProblem {
  readonly kind: AttachmentProblemKind
  /** Of the file. */
  readonly name: string
}

export type ReadAttachment =
  | { readonly attachment: Attachment; readonly problem?: undefined }
  | { readonly problem: AttachmentProblem; readonly attachment?: undefined }

/** The bytes of the files that were read last, to reread them in another encoding. */
const bytesOf = new Map<string, Uint8Array>()
/** Enough for two messages: a page that is open for weeks must not hold every file that was ever sent. */
const MAX_KEPT = 2 * MAX_FILES

function keepBytes(id: string, bytes: Uint8Array): void {
  bytesOf.set(id, bytes)
  const [oldest] = bytesOf.keys()
  if (bytesOf.size > MAX_KEPT && oldest !== undefined) bytesOf.delete(oldest)
}

/** Reads a file as text. Only its bytes count, not its name. */
export async function readAttachment(file: File): Promise<ReadAttachment> {
  const { name, size } = file
  if (size > MAX_FILE_BYTES) return { problem: { kind: 'too-large', name } }
  if (size === 0) return { problem: { kind: 'empty', name } }
  try {
    const bytes = new Uint8Array(await file.arrayBuffer())
    const encoding = guessEncoding(bytes)
    const text = encoding && decodeAs(bytes, encoding)
    if (!isTextual(text)) return { problem: { kind: 'not-text', name } }
    const id = createId()
    // UTF-8 is certain.
    if (encoding === 'utf-8') return { attachment: { id, name, text } }
    keepBytes(id, bytes)
    return { attachment: { id, name, text, encoding } }
  } catch {
    // The file was deleted or changed since it was chosen, or it is a folder.
    return { problem: { kind: 'unreadable', name } }
  }
}

/** Returns the encodings in which a file can be read, including the current one; none once its bytes are gone. */
export function readableEncodings({ id }: Attachment): readonly Encoding[] {
  const bytes = bytesOf.get(id)
  return bytes ? encodings.filter((encoding) => isTextual(decodeAs(bytes, encoding))) : []
}

/** Rereads a file in another encoding. */
export function rereadAttachment(attachment: Attachment, encoding: string): Attachment {
  const bytes = bytesOf.get(attachment.id)
  const text = bytes && decodeAs(bytes, encoding)
  return isTextual(text) ? { ...attachment, text, encoding } : attachment
}

/** Returns those of `added` that fit beside `present`, and the problems of the others. */
export function admitAttachments(
  present: readonly Attachment[],
  added: readonly Attachment[],
): { readonly admitted: readonly Attachment[]; readonly problems: readonly AttachmentProblem[] } {
  const admitted: Attachment[] = []
  const problems: AttachmentProblem[] = []
  let bytes = present.reduce((sum, { text }) => sum + byteLength(text), 0)
  for (const attachment of added) {
    const { name, text } = attachment
    const length = byteLength(text)
    if (present.length + admitted.length >= MAX_FILES) problems.push({ kind: 'too-many', name })
    else if (bytes + length > MAX_TOTAL_BYTES) problems.push({ kind: 'all-too-large', name })
    else {
      admitted.push(attachment)
      bytes += length
    }
  }
  return { admitted, problems }
}

export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}

/** Reports whether a pasted text is better attached as a file than left in the message field. */
export function isLongPaste(text: string): boolean {
  return text.length > 2500 || text.split('\n', 50).length >= 50
}

/** Returns a name for a pasted text that no other attachment has. */
export function pasteName(base: string, present: readonly Attachment[]): string {
  const taken = new Set(present.map(({ name }) => name))
  for (let number = 1; ; number++) {
    const name = number === 1 ? `${base}.txt` : `${base} ${number}.txt`
    if (!taken.has(name)) return name
  }
}
