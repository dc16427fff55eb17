import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'

export type FileContent = string | Uint8Array | { readonly path: string }

/** Who may read the files of a repository. Its description is public, as on the Hub. */
export interface Gate {
  /** Tokens whose accounts have accepted the licence. */
  readonly tokens: readonly string[]
}

export interface RepositoryOptions {
  /** By path inside the repository. */
  readonly files: Readonly<Record<string, FileContent>>
  /** Branches and tags of this commit. Default `main`. */
  readonly revisions?: readonly string[] | undefined
  readonly license?: string | undefined
  /** A licence must be accepted. */
  readonly gate?: Gate | undefined
  /** Only these tokens can see the repository. */
  readonly privateTo?: readonly string[] | undefined
  /** Files of this size or larger come from the storage, with their SHA-256. Default 1000. */
  readonly largeFrom?: number | undefined
}

export interface ServedRequest {
  readonly host: 'hub' | 'cdn'
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
}

export interface StoredFile {
  readonly bytes: Uint8Array
  readonly sha256: string
  /** SHA-1 of git's blob. */
  readonly gitSha1: string
  readonly isLarge: boolean
}

export interface Commit {
  readonly sha: string
  readonly files: ReadonlyMap<string, StoredFile>
}

export interface Repository {
  readonly name: string
  readonly commits: Map<string, Commit>
  readonly revisions: Map<string, string>
  readonly license: string | undefined
  readonly gate: Gate | undefined
  readonly privateTo: readonly string[] | undefined
}

export interface HubState {
  readonly repositories: Map<string, Repository>
  readonly requests: ServedRequest[]
  readonly url: string
  readonly cdnUrl: string
}

/** Adds a commit with these files to a new or existing repository. */
export function createRepository(state: HubState, name: string, options: RepositoryOptions): string {
  const largeFrom = options.largeFrom ?? 1000
  const files = new Map(
    Object.entries(options.files).map(([path, content]) => [path, storeFile(content, largeFrom)]),
  )
  const tree = [...files].map(([path, { sha256 }]) => `${path} ${sha256}`).join('\n')
  const sha = createHash('sha1').update(`${name}\n${tree}`).digest('hex')
  const old = state.repositories.get(name)
  const revisions = new Map(old?.revisions)
  for (const revision of options.revisions ?? ['main']) revisions.set(revision, sha)
  const { license, gate, privateTo } = options
  const commits = new Map(old?.commits).set(sha, { sha, files })
  state.repositories.set(name, { name, commits, revisions, license, gate, privateTo })
  return sha
}

function storeFile(content: FileContent, largeFrom: number): StoredFile {
  const bytes =
    typeof content === 'string'
      ? Buffer.from(content)
      : content instanceof Uint8Array
        ? content
        : readFileSync(content.path)
  return {
    bytes,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    gitSha1: createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex'),
    isLarge: bytes.length >= largeFrom,
  }
}

export const findCommit = (repository: Repository, revision: string): Commit | undefined =>
  repository.commits.get(repository.revisions.get(revision) ?? revision)
