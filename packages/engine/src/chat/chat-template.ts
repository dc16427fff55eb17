/** One turn. Content parts of the HTTP APIs are joined to text before they come here. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  /** Calls that the assistant made in this turn. */
  readonly toolCalls?: readonly ToolCall[] | undefined
  /** Which call a `tool` turn answers. */
  readonly toolCallId?: string | undefined
  readonly name?: string | undefined
}

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON text, as the model wrote it. */
  readonly arguments: string
}

/** A function that the model may call; `parameters` is a JSON schema. */
export interface ToolDefinition {
  readonly name: string
  readonly description?: string | undefined
  readonly parameters?: unknown
  /** A forced call keeps to all that `parameters` say, or is refused (default false: what a grammar can't say is left out). */
  readonly strict?: boolean | undefined
}

export interface RenderOptions {
  /** End with the opening of an assistant turn (default true). False when the last message is an answer to continue. */
  readonly addGenerationPrompt?: boolean | undefined
  readonly tools?: readonly ToolDefinition[] | undefined
  /** Further variables of the template, as `enable_thinking`; they never replace `messages`, `tools` and their like. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined
}

/** Turns a dialogue into the one text that a model continues. */
export interface ChatTemplate {
  /** Texts that end an answer besides the tokenizer's end tokens. */
  readonly stopSequences: readonly string[]
  /** Whether the template itself writes the BOS text (then the prompt is encoded without special tokens). */
  readonly writesBos: boolean
  /**
   * A text for `Tokenizer.encode` of the same model. Control tokens in it come from the template alone: those that the
   * messages or tools spell out are marked as text (`LITERAL_MARK`).
   * @throws InvalidRequestError when the template refuses the messages (their order, a role it does not know).
   */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string
}
