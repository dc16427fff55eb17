/** One turn of a dialogue. Callers join the content parts of the HTTP APIs into one text first. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  /** Calls that the assistant made in this turn. */
  readonly toolCalls?: readonly ToolCall[] | undefined
  /** The id of the call that a `tool` turn answers. */
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
  /** True: a forced call obeys all of `parameters`, or is refused. False (default): what a grammar can't express is ignored. */
  readonly strict?: boolean | undefined
}

export interface RenderOptions {
  /** End with the opening of an assistant turn (default true). False when the last message is an answer to continue. */
  readonly addGenerationPrompt?: boolean | undefined
  readonly tools?: readonly ToolDefinition[] | undefined
  /** Further variables of the template, such as `enable_thinking`. They never replace its own (`messages`, `tools` …). */
  readonly variables?: Readonly<Record<string, unknown>> | undefined
}

/** Turns a dialogue into the one text that a model continues. */
export interface ChatTemplate {
  /** Texts that end an answer besides the tokenizer's end tokens. */
  readonly stopSequences: readonly string[]
  /** True if the template itself writes the BOS text; the prompt is then encoded without special tokens. */
  readonly writesBos: boolean
  /** The template in Jinja, as the model's files have it; undefined if they have none. */
  readonly source?: string | undefined
  /**
   * Returns a text for `Tokenizer.encode` of the same model. Only the template's own control tokens become tokens: those
   * that messages or tools spell out are marked as text (`LITERAL_MARK`).
   * @throws InvalidRequestError when the template refuses the messages (their order, a role it does not know).
   */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string
}
