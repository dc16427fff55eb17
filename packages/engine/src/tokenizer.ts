/** Index of a token in the model's vocabulary, 0 ≤ id < `Tokenizer.vocabSize`. */
export type TokenId = number

/** Converts text to tokens and back, for one model. Synchronous and free of side effects. */
export interface Tokenizer {
  readonly vocabSize: number
  /** The token that `encode` with `addSpecialTokens` puts before a text, if the model uses one. */
  readonly bosToken: TokenId | undefined
  /** Tokens that end an answer (end of text, end of turn). */
  readonly eosTokens: ReadonlySet<TokenId>
  /** Texts of the control tokens that `encode` recognizes. A client's message must not become one (`literalMarker`). */
  readonly controlTexts: readonly string[]
  /**
   * `addSpecialTokens` (default false): let the tokenizer add BOS and similar tokens. Special tokens written in the text are
   * recognized, except those that `LITERAL_MARK` marks as text; the marks themselves are dropped.
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): TokenId[]
  /**
   * Returns the UTF-8 text of the tokens' bytes, one after another; invalid UTF-8 becomes U+FFFD, as in `TextDecoder`. So
   * the text of a list equals the joined texts of its parts if each part ends with a whole character: leading spaces of
   * the first token are kept, and nothing is cleaned up. `skipSpecialTokens` (default false): leave control tokens out.
   */
  decode(tokens: readonly TokenId[], options?: { readonly skipSpecialTokens?: boolean }): string
  /**
   * Returns the bytes that a token stands for, perhaps a part of a character; undefined for a control token. Present where the
   * whole vocabulary is known.
   */
  bytesOf?(token: TokenId): Uint8Array | undefined
}
