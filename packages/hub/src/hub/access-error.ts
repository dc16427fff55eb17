import { ModelSourceError } from '../errors.ts'
import type { HttpStatusError } from '../http/hub-http.ts'

/** The subject of a refused request. */
export interface RefusedRequest {
  readonly endpoint: string
  readonly repo: string
  readonly revision: string
  readonly hasToken: boolean
  /** The name of the licence, if the Hub names it. */
  readonly license?: string | undefined
  /** For a missing file: a message with similar names. */
  readonly missingFile?: string | undefined
}

/**
 * Explains a refusal of the Hub and what to do about it. The codes are those of `huggingface_hub/utils/_http.py`
 * (hf_raise_for_status): `RepoNotFound` (also for private repositories), `RevisionNotFound`, `EntryNotFound`, `GatedRepo`.
 */
export function accessError(error: HttpStatusError, request: RefusedRequest): ModelSourceError {
  const { repo, revision, endpoint } = request
  const fail = (failure: 'not-found' | 'gated' | 'unreachable', message: string): ModelSourceError =>
    new ModelSourceError(failure, message, { cause: error })
  const isRefused = error.status === 401 || error.status === 403
  if (error.errorCode === 'GatedRepo') return fail('gated', gatedMessage(request, error.serverMessage))
  if (error.errorCode === 'RevisionNotFound') {
    return fail(
      'not-found',
      `${repo} has no branch, tag or commit '${revision}'. See ${endpoint}/${repo}/tree/main.`,
    )
  }
  if (
    error.errorCode === 'EntryNotFound' ||
    (error.status === 404 && request.missingFile && !error.errorCode)
  ) {
    return fail('not-found', request.missingFile ?? `${repo}@${revision} has no such file.`)
  }
  if (isRefused && request.hasToken && error.errorCode !== 'RepoNotFound') {
    return fail('gated', refusedTokenMessage(request, error))
  }
  if (error.errorCode === 'RepoNotFound' || error.status === 404 || isRefused) {
    return fail('not-found', missingRepoMessage(request))
  }
  return fail('unreachable', `${new URL(endpoint).host} answers ${error.status} for ${repo}${words(error)}.`)
}

function gatedMessage(request: RefusedRequest, serverMessage: string | undefined): string {
  const { repo, endpoint, hasToken } = request
  const license = request.license === undefined ? 'its licence' : `its licence (${request.license})`
  const page = `${endpoint}/${repo}`
  if (!hasToken) {
    return (
      `${repo} is open only to those who have accepted ${license}. Open ${page}, log in and accept it; ` +
      `create a token with read access at ${endpoint}/settings/tokens; set the variable HF_TOKEN to it and run again.`
    )
  }
  return (
    `${repo} is open only to those who have accepted ${license}, and the account of your HF_TOKEN has not, or is waiting for the ` +
    `owners' approval. Open ${page} with that account and accept it; a fine-grained token also needs permission to read gated ` +
    `repositories.${serverMessage === undefined ? '' : ` The Hub says: ${serverMessage}`}`
  )
}

const refusedTokenMessage = ({ repo, endpoint }: RefusedRequest, error: HttpStatusError): string =>
  `The Hub refuses the token in HF_TOKEN (or the token file) for ${repo} (${error.status}${words(error)}). It may have expired or lack the ` +
  `permission to read this repository: create a new one at ${endpoint}/settings/tokens, set HF_TOKEN to it and run again.`

const missingRepoMessage = ({ repo, endpoint, hasToken }: RefusedRequest): string =>
  `There is no repository ${repo} on ${new URL(endpoint).host}, or it is private and ` +
  (hasToken
    ? `the account of your HF_TOKEN may not see it. Check the spelling at ${endpoint}/${repo}.`
    : `needs a token. Check the spelling at ${endpoint}/${repo}; for a private one set the variable HF_TOKEN.`)

const words = (error: HttpStatusError): string =>
  error.serverMessage === undefined ? '' : `: ${error.serverMessage}`
