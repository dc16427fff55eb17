import type { ChatRequestBody } from '@petals-chat/api'

export interface ChatRequestMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** The fields of `POST /v1/chat/completions` that the page chooses; `chatRequestBody` adds those of the stream. */
export interface ChatRequest {
  readonly model: string
  readonly messages: readonly ChatRequestMessage[]
  readonly temperature?: number | undefined
  readonly top_p?: number | undefined
  readonly top_k?: number | undefined
  readonly min_p?: number | undefined
  readonly repetition_penalty?: number | undefined
  readonly max_tokens?: number | undefined
  readonly seed?: number | undefined
  readonly stop?: readonly string[] | undefined
  /** The last message is an answer to continue, not a turn to reply to. */
  readonly continue_final_message?: boolean | undefined
  readonly add_generation_prompt?: boolean | undefined
}

/** Returns the complete request body. */
export const chatRequestBody = (request: ChatRequest) =>
  ({
    ...request,
    stream: true,
    stream_options: { include_usage: true },
    resumable: true,
    petals: { route: true },
  }) satisfies ChatRequestBody
