import { createId } from './id.ts'
import type { Attachment } from './types.ts'

/** Longest file, and all files of a message together, in bytes: about 250,000 and 500,000 tokens. */
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

/** Reads a file as text. What it is called says nothing: only its bytes do. */
export async function readAttachment(file: File): Promise<ReadAttachment> {
  const { name, size } = file
  if (size > MAX_FILE_BYTES) return { problem: { kind: 'too-large', name } }
  if (size === 0) return { problem: { kind: 'empty', name } }
  try {
    const text = decodeText(new Uint8Array(await file.arrayBuffer()))
    if (text === undefined) return { problem: { kind: 'not-text', name } }
    return { attachment: { id: createId(), name, text } }
  } catch {
    // Deleted or changed since it was chosen, or a folder.
    return { problem: { kind: 'unreadable', name } }
  }
}

/** UTF-8, or UTF-16 with its mark. Undefined for anything else, such as pictures and documents with markup of bytes. */
export function decodeText(bytes: Uint8Array): string | undefined {
  const encoding = encodingOf(bytes)
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes)
    return hasControls(text) ? undefined : text.replace(/\r\n?/g, '\n')
  } catch {
    return undefined
  }
}

function encodingOf([first, second]: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8'
}

/** Characters that no text has. A few programs put form feeds and escapes (colours of terminals) into theirs. */
function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 32 && code !== 9 && code !== 10 && code !== 12 && code !== 13 && code !== 27) return true
  }
  return false
}

/** Those of `added` that still go beside `present`, and why the others don't. */
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

/** Pasted texts that are rather read as a file beside the message than in its field. */
export function isLongPaste(text: string): boolean {
  return text.length > 2500 || text.split('\n', 50).length >= 50
}

/** A name for a pasted text that no other attachment has. */
export function pasteName(base: string, present: readonly Attachment[]): string {
  const taken = new Set(present.map(({ name }) => name))
  for (let number = 1; ; number++) {
    const name = number === 1 ? `${base}.txt` : `${base} ${number}.txt`
    if (!taken.has(name)) return name
  }
}
