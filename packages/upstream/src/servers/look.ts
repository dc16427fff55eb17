import { z } from 'zod'
import { ConnectionError, type HttpClient } from '../http/http-client.ts'
import { parseJson, readBody } from '../http/read-body.ts'
import type { Offer, UpstreamServer } from './server.ts'

export interface LookOptions {
  readonly client: HttpClient
  readonly apiKey?: string | undefined
  readonly connectTimeoutMs: number
  readonly signal: AbortSignal
}

/** A look must not wait longer than this for a list. */
const LIST_TIMEOUT_MS = 10_000
const MAX_LIST_BYTES = 4 * 1024 * 1024

const length = z.number().int().positive().nullish()
const listSchema = z.object({
  data: z.array(
    z.object({
      id: z.string().min(1).max(500),
      /** vLLM, SGLang, Petals Chat. */
      max_model_len: length,
      /** OpenRouter, LM Studio, Together. */
      context_length: length,
      max_context_length: length,
      /** Groq. */
      context_window: length,
      /** llama-server. */
      meta: z.object({ n_ctx: length, n_ctx_train: length }).nullish(),
    }),
  ),
})

/**
 * Asks a server for its models, and notes on it what it answers. Servers without such a list are taken to be well if they
 * answer at all.
 */
export async function lookAt(server: UpstreamServer, options: LookOptions): Promise<void> {
  const { client, apiKey, connectTimeoutMs, signal } = options
  try {
    const response = await client.send({
      url: `${server.baseUrl}/models`,
      apiKey,
      connectTimeoutMs,
      responseTimeoutMs: LIST_TIMEOUT_MS,
      signal,
    })
    const body = await readBody(response, { maxBytes: MAX_LIST_BYTES, timeoutMs: LIST_TIMEOUT_MS })
    server.problem = problemOf(response.statusCode ?? 0)
    if (server.problem === undefined) server.offers = readList(parseJson(body)) ?? server.offers
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

/** The models of a list; undefined if it is none. */
export function readList(body: unknown): ReadonlyMap<string, Offer> | undefined {
  const { data: list } = listSchema.safeParse(body)
  return (
    list &&
    new Map(
      list.data.map((model) => {
        const { max_model_len: a, context_length: b, max_context_length: c, context_window: d, meta } = model
        const contextLength = a ?? b ?? c ?? d ?? meta?.n_ctx ?? meta?.n_ctx_train ?? undefined
        return [model.id, { name: model.id, contextLength }]
      }),
    )
  )
}
