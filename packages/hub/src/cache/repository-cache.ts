import { createHash, randomUUID } from 'node:crypto'
import { copyFile, link, readFile, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { ModelSourceError } from '../errors.ts'
import { isSafePath } from '@petals-chat/engine'
import {
  discard,
  inStorage,
  isFile,
  listFolder,
  makeFolder,
  moveInPlace,
  writeAtomically,
} from '../storage.ts'
import { type HashFileOptions, sha256File } from './content-hash.ts'

const commitPattern = /^[0-9a-f]{40}$/

/** Returns whether a revision is a commit, which never changes. */
export const isCommit = (revision: string): boolean => commitPattern.test(revision)

/**
 * One repository in the cache, in the layout of `huggingface_hub` (docs: "Understand caching"):
 *
 * ```
 * models--owner--repo/blobs/<etag>                     the content
 * models--owner--repo/refs/<revision>                  the commit that a branch or tag stood for
 * models--owner--repo/snapshots/<commit>/<file>        a relative symlink to the content
 * .locks/models--owner--repo/<etag>.petals-chat.lock   see file-lock.ts
 * ```
 *
 * and `.petals-chat/`, which other programs ignore: the list of the files of a commit, and byte ranges.
 */
export class RepositoryCache {
  readonly folder: string
  readonly #locks: string

  /** `name` is one folder name, for example `models--owner--repo`. */
  constructor(cacheDir: string, name: string) {
    this.folder = resolve(cacheDir, name)
    this.#locks = resolve(cacheDir, '.locks', name)
  }

  blobPath(etag: string): string {
    return join(this.folder, 'blobs', blobName(etag))
  }

  lockPath(name: string): string {
    return join(this.#locks, `${blobName(name)}.petals-chat.lock`)
  }

  /** Returns where the file of a commit is, or would be. */
  pointerPath(commit: string, name: string): string {
    return this.#inside('snapshots', commit, name)
  }

  /** Returns a path in `.petals-chat/`. */
  ownPath(...parts: readonly string[]): string {
    return this.#inside('.petals-chat', ...parts)
  }

  /** Returns the path of a cached file, if its content exists. */
  async find(commit: string, name: string): Promise<string | undefined> {
    const path = this.pointerPath(commit, name)
    return (await isFile(path)) ? path : undefined
  }

  /** Returns the names of the cached files of a commit. */
  async names(commit: string): Promise<readonly string[]> {
    return listFolder(join(this.folder, 'snapshots', commit)).catch(() => [])
  }

  /** Returns whether the Hub has reported that a commit has no such file (`huggingface_hub` records this). */
  isKnownMissing(commit: string, name: string): Promise<boolean> {
    return isFile(this.#inside('.no_exist', commit, name))
  }

  /** Returns the commit of a revision when the Hub was last asked. */
  async readRef(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision
    const text = await readFile(this.#inside('refs', revision), 'utf8').catch(() => '')
    const commit = text.trim()
    return commit !== '' && isSafePath(commit) && !commit.includes('/') ? commit : undefined
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.readRef(revision)) === commit) return
    const path = this.#inside('refs', revision)
    await inStorage(this.folder, () => writeAtomically(path, commit))
  }

  /**
   * Links `snapshots/<commit>/<name>` to the blob: with a relative symlink, so that the cache can be moved; without symlinks
   * (Windows without the privilege), with a hard link; on a disk without hard links, with a copy.
   */
  async link(etag: string, commit: string, name: string): Promise<string> {
    const blob = this.blobPath(etag)
    const pointer = this.pointerPath(commit, name)
    await makeFolder(dirname(pointer))
    const temporary = join(this.folder, 'blobs', `${randomUUID()}.tmp`)
    await inStorage(this.folder, async () => {
      try {
        await linkOrCopy(blob, relative(dirname(pointer), blob), temporary)
        await moveInPlace(temporary, pointer)
      } finally {
        await rm(temporary, { force: true })
      }
    })
    return pointer
  }

  /** Returns whether a cached file has this SHA-256. Blobs are named after it and were checked at download: no need to read. */
  async hasSha256(path: string, sha256: string, options?: HashFileOptions): Promise<boolean> {
    const [file, blob] = await Promise.all([identity(path), identity(this.blobPath(sha256))])
    return (file !== undefined && file === blob) || (await sha256File(path, options)) === sha256
  }

  async remove(): Promise<void> {
    await inStorage(this.folder, async () => {
      await discard(this.folder)
      await discard(this.#locks)
    })
  }

  /** Joins parts to a path in this repository's folder. Names come from the network and must not lead out of the folder. */
  #inside(...parts: readonly string[]): string {
    const bad = parts.find((part) => !isSafePath(part))
    if (bad === undefined) return join(this.folder, ...parts)
    throw new ModelSourceError(
      'invalid',
      `The name '${bad.replaceAll('\0', '\\0')}' can't be used in the cache: it would lead out of its folder.`,
    )
  }
}

/** `models--owner--repo` */
export const hubCacheName = (repo: string): string => ['models', ...repo.split('/')].join('--')

/** ETags of the Hub are hashes; an ETag of a mirror that is not usable as a file name is hashed. */
const blobName = (etag: string): string =>
  /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(etag)
    ? etag
    : `etag-${createHash('sha256').update(etag).digest('hex')}`

async function linkOrCopy(blob: string, target: string, path: string): Promise<void> {
  try {
    await symlink(target, path, 'file')
  } catch {
    await link(blob, path).catch(() => copyFile(blob, path))
  }
}

/** Identifies a file: equal for two paths of the same file, through a symlink or a hard link. */
const identity = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => undefined,
  )
