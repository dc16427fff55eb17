import { type Hash, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { AbortOptions } from '@petals-chat/engine'

/** A check of a file's content against its expected hash. */
export interface ContentCheck {
  update(bytes: Uint8Array): void
  /** Returns undefined if the content matches, else a sentence with both hashes. Call it once, at the end. */
  mismatch(): string | undefined
}

const sha256Pattern = /^[0-9a-f]{64}$/
const sha1Pattern = /^[0-9a-f]{40}$/

export const isSha256 = (text: string): boolean => sha256Pattern.test(text)

/** Accepts any content; the size is checked elsewhere. */
export const noCheck: ContentCheck = { update: () => {}, mismatch: () => undefined }

/**
 * Creates the check that an ETag of the Hub allows: large files carry their SHA-256, small ones the SHA-1 of git's blob
 * (huggingface_hub/utils/sha.py). Some mirrors give the plain SHA-1 instead. Any other ETag allows no check.
 * @param sha256 - a hash that is expected in addition
 */
export function contentCheck(etag: string, sizeBytes: number, sha256?: string): ContentCheck {
  const checks: ContentCheck[] = []
  if (sha256Pattern.test(etag)) checks.push(hashCheck(etag, { sha256: createHash('sha256') }))
  else if (sha256 !== undefined) checks.push(hashCheck(sha256, { sha256: createHash('sha256') }))
  if (sha1Pattern.test(etag)) {
    const gitBlob = createHash('sha1').update(`blob ${sizeBytes}\0`)
    checks.push(hashCheck(etag, { 'git blob sha1': gitBlob, sha1: createHash('sha1') }))
  }
  return {
    update: (bytes) => checks.forEach((check) => check.update(bytes)),
    mismatch: () => checks.map((check) => check.mismatch()).find((text) => text !== undefined),
  }
}

/** Accepts the content if one of the hashes is the expected one. */
const hashCheck = (expected: string, hashes: Readonly<Record<string, Hash>>): ContentCheck => ({
  update: (bytes) => Object.values(hashes).forEach((hash) => hash.update(bytes)),
  mismatch: () => {
    const found = Object.entries(hashes).map(([name, hash]) => ({ name, digest: hash.digest('hex') }))
    if (found.some(({ digest }) => digest === expected)) return undefined
    return `its ${found[0]?.name} is ${found[0]?.digest}, expected ${expected}`
  },
})

export interface HashFileOptions extends AbortOptions {
  readonly onBytes?: ((done: number) => void) | undefined
}

/** Passes the bytes [0, end) of a file to `update`, and lets other work run in between. */
export async function feedFile(
  path: string,
  end: number,
  update: (bytes: Uint8Array) => void,
  { signal, onBytes }: HashFileOptions,
): Promise<void> {
  if (end === 0) return
  let done = 0
  const chunks = createReadStream(path, { end: end - 1, highWaterMark: 1 << 20, signal })
  try {
    for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
      update(chunk)
      done += chunk.length
      onBytes?.(done)
      await yieldToOthers()
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** Returns the SHA-256 of a file in hex. */
export async function sha256File(path: string, options: HashFileOptions = {}): Promise<string> {
  const hash = createHash('sha256')
  await feedFile(path, Infinity, (bytes) => hash.update(bytes), options)
  return hash.digest('hex')
}
