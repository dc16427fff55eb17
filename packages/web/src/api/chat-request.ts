export interface ChatRequestMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** Body of `POST /v1/chat/completions`, as far as the page uses it. */
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
  /** The last message is an answer to go on with, not a turn to reply to. */
  readonly continue_final_message?: boolean | undefined
  readonly add_generation_prompt?: boolean | undefined
}
