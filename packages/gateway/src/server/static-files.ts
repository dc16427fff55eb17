import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { getMimeType } from 'hono/utils/mime'
import type { ContentCoding } from './accepted-coding.ts'

/** Endings of the compressed files that a build writes beside the originals. */
const endings: Readonly<Partial<Record<ContentCoding, string>>> = { br: '.br', gzip: '.gz' }

/** A file in one coding. */
export interface Representation {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** A hash of the content, because files of registry packages all have the same modification time. */
  readonly etag: string
}

export interface StaticFile {
  readonly type: string
  readonly representations: ReadonlyMap<ContentCoding, Representation>
}

/**
 * Reads a folder of files into memory, by path of the URL (`/assets/a.js`). A new build therefore can't mix with the one
 * that a running server sends, and no path of a request reaches the disk.
 */
export function readStaticFiles(root: string): ReadonlyMap<string, StaticFile> {
  const paths = readdirSync(root, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    // Hidden files and folders belong to tools.
    .filter((path) => !path.split(sep).some((part) => part.startsWith('.')))
  const known = new Set(paths)
  const originals = paths.filter((path) => !isCompressed(path, known))
  return new Map(
    originals.map((path) => [`/${path.split(sep).join('/')}`, readStaticFile(root, path, known)] as const),
  )
}

function isCompressed(path: string, known: ReadonlySet<string>): boolean {
  return Object.values(endings).some(
    (ending) => path.endsWith(ending) && known.has(path.slice(0, -ending.length)),
  )
}

function readStaticFile(root: string, path: string, known: ReadonlySet<string>): StaticFile {
  const bytes = readFileSync(join(root, path))
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 20)
  const representations = new Map<ContentCoding, Representation>([['identity', { bytes, etag: `"${hash}"` }]])
  for (const [coding, ending] of Object.entries(endings))
    if (known.has(path + ending))
      representations.set(coding as ContentCoding, {
        bytes: readFileSync(join(root, path + ending)),
        etag: `"${hash}-${coding}"`,
      })
  return { type: getMimeType(path) ?? 'application/octet-stream', representations }
}
