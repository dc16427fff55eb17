import type { AbortOptions, RemoteTokens } from '@petals-chat/engine'
import { z } from 'zod'
import type { UpstreamModelSpec } from '../config.ts'
import type { HttpClient } from '../http/http-client.ts'
import { parseJson, readBody } from '../http/read-body.ts'
import { noRoute } from '../http/response-failure.ts'
import type { UpstreamServer } from '../servers/server.ts'

export interface TokenizeOptions extends AbortOptions {
  readonly spec: UpstreamModelSpec
  readonly client: HttpClient
  readonly server: UpstreamServer
}

/** A page waits for the count: an estimate now is better than a count later. */
const TIMEOUT_MS = 3_000
const MAX_BODY_BYTES = 16 * 1024 * 1024

/** Of vLLM, SGLang and Petals Chat; llama-server counts no messages, and has no `count`. */
const countSchema = z.object({ count: z.int().min(1), tokens: z.array(z.int().min(0)).nullish() })

/** Asks a server for the tokens of messages or a text. Undefined if it has no such route, or does not answer in time. */
export async function tokenize(
  body: Readonly<Record<string, unknown>>,
  { spec, client, server, signal }: TokenizeOptions,
): Promise<RemoteTokens | undefined> {
  if (server.tokenizeUrl === null) return undefined
  const urls = server.tokenizeUrl === undefined ? urlsOf(server) : [server.tokenizeUrl]
  try {
    let isMissing = true
    for (const url of urls) {
      const { status, tokens } = await ask(url, body, { spec, client, signal })
      isMissing &&= noRoute.has(status)
      if (tokens === undefined) continue
      server.tokenizeUrl = url
      return tokens
    }
    // What it refuses once, or while it is busy, it may count next time.
    if (isMissing) server.tokenizeUrl = null
  } catch {
    signal?.throwIfAborted()
  }
  return undefined
}

/** Beside the other routes of the API, or above them, as vLLM has it. */
function urlsOf({ baseUrl }: UpstreamServer): readonly string[] {
  const above = baseUrl.replace(/\/v\d+$/, '')
  return above === baseUrl ? [`${baseUrl}/tokenize`] : [`${baseUrl}/tokenize`, `${above}/tokenize`]
}

async function ask(
  url: string,
  body: object,
  { spec, client, signal }: Omit<TokenizeOptions, 'server'>,
): Promise<{ readonly status: number; readonly tokens: RemoteTokens | undefined }> {
  const { apiKey, connectTimeoutMs } = spec
  const response = await client.send({
    url,
    body,
    apiKey,
    connectTimeoutMs,
    responseTimeoutMs: TIMEOUT_MS,
    signal,
  })
  const text = await readBody(response, { maxBytes: MAX_BODY_BYTES, timeoutMs: TIMEOUT_MS })
  const { statusCode: status = 0 } = response
  const { data } = countSchema.safeParse(status === 200 ? parseJson(text) : undefined)
  return { status, tokens: data && { count: data.count, tokens: data.tokens ?? [] } }
}
