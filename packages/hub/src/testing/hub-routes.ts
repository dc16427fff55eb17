import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault } from './hub-faults.ts'
import { sendContent } from './hub-content.ts'
import { type Commit, type HubState, type Repository, type StoredFile, findCommit } from './hub-state.ts'

/** Answers requests to the Hub itself: `/api/models/…` and `/<owner>/<name>/resolve/<revision>/<file>`. */
export async function answerHub(
  state: HubState,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.hangAfterBytes === 0) return
  if (fault?.status !== undefined) return send(response, fault.status, fault.body ?? '', fault.headers)
  const { pathname } = new URL(request.url ?? '/', state.url)
  const parts = pathname.split('/').slice(1).map(decodeURIComponent)
  if (parts[0] === 'api' && parts[1] === 'resolve-cache') {
    return answerFile(state, request, response, { parts: parts.slice(3), isCached: true, fault })
  }
  if (parts[0] === 'api') return answerApi(state, request, response, { parts: parts.slice(2), fault })
  if (parts[2] !== 'resolve') return send(response, 404, 'Not found')
  return answerFile(state, request, response, {
    parts: [...parts.slice(0, 2), ...parts.slice(3)],
    isCached: false,
    fault,
  })
}

/** Answers requests to the storage: `/<sha256>`, with signed links. */
export async function answerCdn(
  state: HubState,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.hangAfterBytes === 0) return
  if (fault?.status !== undefined) return send(response, fault.status, fault.body ?? '', fault.headers)
  // Like S3, refuses two kinds of authorization at once: this detects a client that passes its token on.
  if (request.headers.authorization !== undefined)
    return send(response, 400, 'Only one auth mechanism allowed')
  const { pathname } = new URL(request.url ?? '/', state.cdnUrl)
  const files = [...state.repositories.values()].flatMap(({ commits }) => [...commits.values()])
  const file = files
    .flatMap((commit) => [...commit.files.values()])
    .find(({ sha256 }) => `/${sha256}` === pathname)
  if (file === undefined) return send(response, 404, 'Not found')
  return sendContent(request, response, {
    bytes: file.bytes,
    etag: `"cdn-${file.sha256.slice(0, 16)}"`,
    headers: {},
    fault,
  })
}

async function answerApi(
  state: HubState,
  request: IncomingMessage,
  response: ServerResponse,
  { parts, fault }: { readonly parts: readonly string[]; readonly fault: Fault | undefined },
): Promise<void> {
  const sendJson = (body: unknown): Promise<void> => {
    const bytes = Buffer.from(JSON.stringify(body))
    return sendContent(request, response, {
      bytes,
      etag: '"api"',
      headers: { 'content-type': 'application/json' },
      fault,
    })
  }
  const [owner, name, kind = 'revision', revision = 'main'] = parts
  if (!owner) return sendJson([...state.repositories.keys()].map((id) => ({ id })))
  const repository = state.repositories.get(`${owner}/${name}`)
  const refusal = refuse(state, repository, request, { forFiles: false })
  if (refusal !== undefined || repository === undefined)
    return send(response, ...(refusal ?? notFound('RepoNotFound')))
  const commit = findCommit(repository, revision)
  if (commit === undefined) return send(response, ...notFound('RevisionNotFound'))
  return sendJson(kind === 'tree' ? treeOf(commit) : modelInfo(repository, commit))
}

interface FileRequest {
  /** Owner, name, revision, and the path of the file. */
  readonly parts: readonly string[]
  /** The address that small files are redirected to. */
  readonly isCached: boolean
  readonly fault: Fault | undefined
}

async function answerFile(
  state: HubState,
  request: IncomingMessage,
  response: ServerResponse,
  { parts, isCached, fault }: FileRequest,
): Promise<void> {
  const [owner, name, revision = '', ...path] = parts
  const repository = state.repositories.get(`${owner}/${name}`)
  const refusal = refuse(state, repository, request, { forFiles: true })
  if (refusal !== undefined || repository === undefined)
    return send(response, ...(refusal ?? notFound('RepoNotFound')))
  const commit = findCommit(repository, revision)
  if (commit === undefined) return send(response, ...notFound('RevisionNotFound'))
  const file = commit.files.get(path.join('/'))
  if (file === undefined) return send(response, ...notFound('EntryNotFound', { 'x-repo-commit': commit.sha }))
  const headers = { 'x-repo-commit': commit.sha }
  if (file.isLarge) return redirectToStorage(state, response, file, headers)
  if (!isCached) {
    const location = [
      '/api/resolve-cache/models',
      owner,
      name,
      commit.sha,
      ...path.map(encodeURIComponent),
    ].join('/')
    return send(response, 307, 'Temporary Redirect', { ...headers, location })
  }
  return sendContent(request, response, { bytes: file.bytes, etag: `"${file.gitSha1}"`, headers, fault })
}

const redirectToStorage = (
  { cdnUrl }: HubState,
  response: ServerResponse,
  file: StoredFile,
  headers: Readonly<Record<string, string>>,
): void =>
  send(response, 302, 'Found', {
    ...headers,
    location: `${cdnUrl}/${file.sha256}?signature=valid`,
    'x-linked-etag': `"${file.sha256}"`,
    'x-linked-size': String(file.bytes.length),
    'accept-ranges': 'bytes',
  })

type Refusal = readonly [status: number, body: string, headers: Readonly<Record<string, string>>]

/** Refuses with the statuses, codes and messages of huggingface.co. */
function refuse(
  state: HubState,
  repository: Repository | undefined,
  request: IncomingMessage,
  { forFiles }: { readonly forFiles: boolean },
): Refusal | undefined {
  const token = request.headers.authorization?.replace(/^Bearer /, '')
  const refusal = (status: number, code: string, message: string): Refusal => [
    status,
    JSON.stringify({ error: message }),
    { ...(code !== '' && { 'x-error-code': code }), 'x-error-message': message },
  ]
  if (token?.startsWith('invalid')) return refusal(401, '', 'Invalid credentials in Authorization header')
  const isHidden = repository?.privateTo !== undefined && !repository.privateTo.includes(token ?? '')
  if (repository === undefined || isHidden) {
    return refusal(token === undefined ? 401 : 404, 'RepoNotFound', 'Repository not found')
  }
  if (!forFiles || repository.gate === undefined || repository.gate.tokens.includes(token ?? ''))
    return undefined
  const restricted = `Access to model ${repository.name} is restricted`
  return token === undefined
    ? refusal(
        401,
        'GatedRepo',
        `${restricted}. You must have access to it and be authenticated to access it. Please log in.`,
      )
    : refusal(
        403,
        'GatedRepo',
        `${restricted} and you are not in the authorized list. Visit ${state.url}/${repository.name} to ask for access.`,
      )
}

const notFound = (code: string, headers: Readonly<Record<string, string>> = {}): Refusal => {
  const message =
    { RevisionNotFound: 'Invalid rev id', EntryNotFound: 'Entry not found' }[code] ?? 'Not found'
  return [
    404,
    JSON.stringify({ error: message }),
    { ...headers, 'x-error-code': code, 'x-error-message': message },
  ]
}

/** `GET /api/models/<id>/revision/<revision>?blobs=true` */
const modelInfo = ({ name, license, gate, privateTo }: Repository, { sha, files }: Commit): object => ({
  _id: sha.slice(0, 24),
  id: name,
  modelId: name,
  sha,
  private: privateTo !== undefined,
  gated: gate === undefined ? false : 'manual',
  tags: license === undefined ? [] : [`license:${license}`],
  ...(license !== undefined && { cardData: { license } }),
  siblings: [...files].map(([rfilename, file]) => ({
    rfilename,
    size: file.bytes.length,
    blobId: file.gitSha1,
    ...(file.isLarge && { lfs: { sha256: file.sha256, size: file.bytes.length, pointerSize: 134 } }),
  })),
})

/** `GET /api/models/<id>/tree/<revision>?recursive=true` */
const treeOf = ({ files }: Commit): object =>
  [...files].map(([path, file]) => ({
    type: 'file',
    oid: file.gitSha1,
    size: file.bytes.length,
    path,
    ...(file.isLarge && { lfs: { oid: file.sha256, size: file.bytes.length, pointerSize: 134 } }),
  }))

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, {
      'content-type': 'text/plain',
      ...headers,
      'content-length': Buffer.byteLength(body),
    })
    .end(body)
}
