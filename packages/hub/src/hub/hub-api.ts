import type { AbortOptions } from '@petals-chat/engine'
import { isCommit } from '../cache/repository-cache.ts'
import { ModelSourceError } from '../errors.ts'
import { missingFile } from '../format.ts'
import { HttpStatusError, type HubHttp, type HubResponse } from '../http/hub-http.ts'
import { TransientError } from '../http/network-error.ts'
import { readBytes } from '../http/read-bytes.ts'
import { Retries, withRetries } from '../http/retry.ts'
import { accessError } from './access-error.ts'
import type { HubContext } from './hub-context.ts'
import { type RepositoryListing, parseModelInfo } from './repository-listing.ts'

/** The Hub's description of a file, before the download. */
export interface FileMetadata {
  readonly commit: string
  /** On the Hub, a hash of the content: SHA-256 of large files, git's SHA-1 of small ones. */
  readonly etag: string
  readonly sizeBytes: number
  /** The ETag of the download itself, if the same host sends it. */
  readonly validator?: string | undefined
}

export interface ReadOptions extends AbortOptions {
  /** Bytes [start, end). */
  readonly start: number
  readonly end: number
  /** Size of the whole file, if known. */
  readonly sizeBytes?: number | undefined
  readonly validator?: string | undefined
}

/** Requests to the Hub about one repository, with retries and explained refusals. Uses no cache. */
export class HubApi {
  readonly #hub: HubContext
  readonly #repo: string

  constructor(hub: HubContext, repo: string) {
    this.#hub = hub
    this.#repo = repo
  }

  /** Returns the commit of a revision, and its files. @throws ModelSourceError */
  async listing(revision: string, options: AbortOptions): Promise<RepositoryListing> {
    await this.#hub.requireReach(`The list of files of ${this.#repo}@${revision}`, options)
    const url = this.#infoUrl(revision)
    const listing = parseModelInfo(
      await this.#request({ revision }, options, (http) => http.json(url, options)),
    )
    if (listing === undefined) throw this.#strange(`its answer about ${this.#repo} does not describe a model`)
    return listing
  }

  /** Returns commit, hash and size of one file. @throws ModelSourceError */
  async metadata(revision: string, name: string, options: AbortOptions): Promise<FileMetadata> {
    await this.#hub.requireReach(`${this.#repo}/${name}`, options)
    const request = { ...options, method: 'HEAD', stopAtOtherHost: true } as const
    const url = this.#fileUrl(revision, name)
    const answer = await this.#request({ revision, name }, options, (http) => http.send(url, request))
    const metadata = readMetadata(answer)
    if (metadata === undefined) throw this.#strange(`its answer about ${name} has no commit, ETag or size`)
    return metadata
  }

  /** Yields bytes of a file. A broken connection is resumed. @throws TransientError, ModelSourceError */
  async *read(commit: string, name: string, options: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
    const { config, http, logger } = this.#hub
    const url = this.#fileUrl(commit, name)
    try {
      yield* readBytes({ ...options, http, url, label: name, policy: config, logger })
    } catch (error) {
      throw error instanceof HttpStatusError ? await this.#refusal(error, { revision: commit, name }) : error
    }
  }

  async #request<T>(
    about: Subject,
    options: AbortOptions,
    attempt: (http: HubHttp) => Promise<T>,
  ): Promise<T> {
    const { config, http, logger } = this.#hub
    try {
      return await withRetries(new Retries(config, logger), this.#repo, options, () => attempt(http))
    } catch (error) {
      if (error instanceof HttpStatusError) throw await this.#refusal(error, about)
      throw error instanceof TransientError ? gaveUp(this.#repo, about.name, error) : error
    }
  }

  async #refusal(error: HttpStatusError, { revision, name }: Subject): Promise<ModelSourceError> {
    const isMissingFile = name !== undefined && error.status === 404 && error.errorCode !== 'RevisionNotFound'
    // The description is public even if the files are not: it names the licence and the existing files.
    const more = isMissingFile || error.errorCode === 'GatedRepo' ? await this.#describe(revision) : undefined
    const names = more?.files.map((file) => file.name) ?? []
    return accessError(error, {
      endpoint: this.#hub.config.endpoint,
      repo: this.#repo,
      revision,
      hasToken: (await this.#hub.token()) !== undefined,
      license: more?.license,
      missingFile: isMissingFile ? missingFile(`${this.#repo}@${revision}`, name, names) : undefined,
    })
  }

  /** Makes one attempt to improve an error message; a failure is ignored. */
  async #describe(revision: string): Promise<RepositoryListing | undefined> {
    try {
      return parseModelInfo(await this.#hub.http.json(this.#infoUrl(revision)))
    } catch {
      return undefined
    }
  }

  #strange(reason: string): ModelSourceError {
    return new ModelSourceError(
      'unreachable',
      `${new URL(this.#hub.config.endpoint).host} does not answer like the Hugging Face Hub: ${reason}. ` +
        'Check HF_ENDPOINT, and whether a proxy or a login page of the network answers in its place.',
    )
  }

  #infoUrl(revision: string): string {
    return `${this.#hub.config.endpoint}/api/models/${this.#repo}/revision/${encodeURIComponent(revision)}?blobs=true`
  }

  #fileUrl(revision: string, name: string): string {
    const path = name.split('/').map(encodeURIComponent).join('/')
    return `${this.#hub.config.endpoint}/${this.#repo}/resolve/${encodeURIComponent(revision)}/${path}`
  }
}

/** The subject of a request. */
interface Subject {
  readonly revision: string
  readonly name?: string
}

/** The error after the last attempt of a request. */
const gaveUp = (repo: string, name: string | undefined, error: TransientError): ModelSourceError =>
  new ModelSourceError(
    'interrupted',
    `${name === undefined ? repo : `${repo}/${name}`} could not be downloaded: ${error.message}. Try again later.`,
    { cause: error },
  )

function readMetadata({ response, hubHeaders: headers }: HubResponse): FileMetadata | undefined {
  const commit = headers.get('x-repo-commit')
  const linkedEtag = headers.get('x-linked-etag')
  const etag = unquote(linkedEtag ?? headers.get('etag'))
  // The length of a redirect is not that of the file.
  const size = headers.get('x-linked-size') ?? (response.ok ? headers.get('content-length') : null)
  if (commit === null || !isCommit(commit) || !etag || size === null || !/^\d+$/.test(size)) return undefined
  const validator = linkedEtag === null ? headers.get('etag') : null
  return { commit, etag, sizeBytes: Number(size), validator: validator ?? undefined }
}

/** `W/"abc"` and `"abc"` to `abc` (huggingface_hub/file_download.py: _normalize_etag). */
const unquote = (etag: string | null): string | undefined =>
  etag?.replace(/^W\//, '').replace(/^"(.*)"$/, '$1')
