import type { TokenizeRequestBody, TokenizeResponse } from '@petals-chat/api'
import type { ChatRequestMessage } from './chat-request.ts'
import { ApiError, apiErrorFromResponse, toApiError } from './errors.ts'
import { isRecord, number, type Untrusted } from './read-json.ts'

export interface TokenizeRequest {
  readonly model: string
  /** A text by itself. */
  readonly prompt?: string
  /** Or a dialogue, as the model's template writes it. */
  readonly messages?: readonly ChatRequestMessage[]
  readonly continue_final_message?: boolean | undefined
  readonly add_special_tokens?: boolean
}

export interface TokenCount {
  readonly tokens: number
  /** Tokens of prompt and answer together that the model can hold. */
  readonly contextLength: number | undefined
}

/** How many tokens a text or a dialogue is. Loads the model if need be. @throws ApiError */
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
