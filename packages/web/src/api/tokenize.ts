import type { TokenizeRequestBody, TokenizeResponse } from '@petals-chat/api'
import type { ChatRequestMessage, RequestTool } from './chat-request.ts'
import { ApiError, apiErrorFromResponse, toApiError } from './errors.ts'
import { isRecord, number, type Untrusted } from './read-json.ts'

export interface TokenizeRequest {
  readonly model: string
  /** A text without a template. */
  readonly prompt?: string
  /** A dialogue, which the model's template renders. */
  readonly messages?: readonly ChatRequestMessage[]
  readonly tools?: readonly RequestTool[] | undefined
  readonly continue_final_message?: boolean | undefined
  readonly add_special_tokens?: boolean
}

export interface TokenCount {
  readonly tokens: number
  /** Tokens of prompt and answer together that the model can hold. */
  readonly contextLength: number | undefined
}

/** Counts the tokens of a text or a dialogue. Loads the model if necessary. @throws ApiError */
export async function countTokens(
  request: TokenizeRequest,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<TokenCount> {
  try {
    const response = await fetch('v1/tokenize', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request satisfies TokenizeRequestBody),
      signal: options.signal ?? null,
    })
    if (!response.ok) throw await apiErrorFromResponse(response)
    const body: unknown = await response.json()
    const { count, max_model_len: length }: Untrusted<TokenizeResponse> = isRecord(body) ? body : {}
    const tokens = number(count)
    if (tokens === undefined)
      throw new ApiError({ kind: 'server', message: 'The server sent no token count.' })
    return { tokens, contextLength: number(length) }
  } catch (cause) {
    throw toApiError(cause)
  }
}
