import type { ChatRequestBody } from '@petals-chat/api'

export type ChatRequestMessage = RequestTurn | RequestAnswer | RequestResult

interface RequestTurn {
  readonly role: 'system' | 'user'
  readonly content: string
  readonly tool_calls?: undefined
}

interface RequestAnswer {
  readonly role: 'assistant'
  readonly content: string
  /** The model’s thoughts before its calls. */
  readonly reasoning_content?: string
  /** A message of the role `tool` follows for each. */
  readonly tool_calls?: readonly RequestToolCall[] | undefined
}

/** What a tool returned. */
interface RequestResult {
  readonly role: 'tool'
  readonly content: string
  /** Id of the call. */
  readonly tool_call_id: string
  readonly tool_calls?: undefined
}

export interface RequestToolCall {
  readonly id: string
  readonly type: 'function'
  /** `arguments`: JSON, as the model wrote it. */
  readonly function: { readonly name: string; readonly arguments: string }
}

/** A function that the model may call. */
export interface RequestTool {
  readonly type: 'function'
  readonly function: {
    readonly name: string
    readonly description: string
    readonly parameters: Readonly<Record<string, unknown>>
  }
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
  readonly tools?: readonly RequestTool[] | undefined
  /** `none`: the model has to answer in words. */
  readonly tool_choice?: 'none' | undefined
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
