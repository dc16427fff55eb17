import { type Hash, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import type { AbortOptions } from '@petals-chat/engine'

/** The hash that a file's content must have. */
export interface ContentCheck {
  update(bytes: Uint8Array): void
  /** Undefined if the content is right, else both hashes in words. Once, at the end. */
  mismatch(): string | undefined
}

const sha256Pattern = /^[0-9a-f]{64}$/
const sha1Pattern = /^[0-9a-f]{40}$/

export const isSha256 = (text: string): boolean => sha256Pattern.test(text)

/** Anything is right; the size is checked elsewhere. */
export const noCheck: ContentCheck = { update: () => {}, mismatch: () => undefined }

/**
 * The check that an ETag of the Hub allows: large files carry their SHA-256, small ones the SHA-1 of git's blob
 * (huggingface_hub/utils/sha.py). Some mirrors give the plain SHA-1 instead. Of any other ETag nothing follows.
 * @param sha256 Expected besides.
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

/** One of the hashes must be the expected one. */
const hashCheck = (expected: string, hashes: Readonly<Record<string, Hash>>): ContentCheck => ({
  update: (bytes) => Object.values(hashes).forEach((hash) => hash.update(bytes)),
  mismatch: () => {
    const found = Object.entries(hashes).map(([name, hash]) => ({ name, digest: hash.digest('hex') }))
    if (found.some(({ digest }) => digest === expected)) return undefined
    return `its ${found[0]?.name} is ${found[0]?.digest}, expected was ${expected}`
  },
})

export interface HashFileOptions extends AbortOptions {
  readonly onBytes?: ((done: number) => void) | undefined
}

/** Hands the bytes [0, end) of a file to `update`; other work goes on meanwhile. */
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
      await breathe()
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** SHA-256 of a file, hex. */
export async function sha256File(path: string, options: HashFileOptions = {}): Promise<string> {
  const hash = createHash('sha256')
  await feedFile(path, Infinity, (bytes) => hash.update(bytes), options)
  return hash.digest('hex')
}
