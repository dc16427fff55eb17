import { ConnectionError, type HttpClient } from '../http/http-client.ts'
import { parseJson, readBody } from '../http/read-body.ts'
import { readList } from './read-list.ts'
import type { UpstreamServer } from './server.ts'

export interface LookOptions {
  readonly client: HttpClient
  readonly apiKey?: string | undefined
  readonly connectTimeoutMs: number
  readonly signal: AbortSignal
}

/** A look must not wait longer than this for a list. */
const LIST_TIMEOUT_MS = 10_000
const MAX_LIST_BYTES = 4 * 1024 * 1024

/** Asks a server for its models, and notes on it what it answers. A server without such a list may be well. */
export async function lookAt(server: UpstreamServer, options: LookOptions): Promise<void> {
  const { client, apiKey, connectTimeoutMs, signal } = options
  const url = `${server.baseUrl}/models`
  try {
    const response = await client.send({
      url,
      apiKey,
      connectTimeoutMs,
      responseTimeoutMs: LIST_TIMEOUT_MS,
      signal,
    })
    const body = await readBody(response, { maxBytes: MAX_LIST_BYTES, timeoutMs: LIST_TIMEOUT_MS })
    const status = response.statusCode ?? 0
    server.problem = problemOf(status)
    // A server that is busy says nothing of its list.
    if (server.problem !== undefined || status === 408 || status === 429) return
    const offers = status < 300 ? readList(parseJson(body)) : undefined
    server.offers = offers ?? server.offers
    server.listProblem = offers === undefined ? listProblemOf(url, status) : undefined
  } catch (error) {
    if (signal.aborted) return
    server.problem = error instanceof ConnectionError ? error.message : 'it does not answer'
  }
}

function problemOf(status: number): string | undefined {
  if (status === 401 || status === 403) return `refuses the key (${status}): set apiKey`
  if (status >= 300 && status < 400) return 'redirects to another address: set baseUrl to that one'
  return status >= 500 ? `answers with the status ${status}` : undefined
}

function listProblemOf(url: string, status: number): string {
  const hint = /\/v\d+\/models$/.test(url) ? '' : '; baseUrl mostly ends in /v1'
  const what =
    status < 300
      ? `answers with something else than a list of models at ${url}`
      : `has no list of models at ${url} (status ${status})`
  return `${what}${hint}`
}
