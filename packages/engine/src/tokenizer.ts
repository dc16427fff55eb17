/** Index of a token in the model's vocabulary, 0 ≤ id < `Tokenizer.vocabSize`. */
export type TokenId = number

/** Text to tokens and back, of one model. Synchronous and free of side effects. */
export interface Tokenizer {
  readonly vocabSize: number
  /** Put in front of a text by `encode` with `addSpecialTokens`, if the model wants it. */
  readonly bosToken: TokenId | undefined
  /** Tokens that end an answer (end of text, end of turn). */
  readonly eosTokens: ReadonlySet<TokenId>
  /** Texts of the control tokens that `encode` recognises: what a client's message must not become (`literalMarker`). */
  readonly controlTexts: readonly string[]
  /**
   * `addSpecialTokens` (default false): let the tokenizer add BOS and its like. Special tokens written in the text are
   * recognised, except those that `LITERAL_MARK` marks as text; the marks themselves are dropped.
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): TokenId[]
  /**
   * The UTF-8 text of the tokens' bytes, one after another; broken UTF-8 becomes U+FFFD as `TextDecoder` does it. So the
   * text of a list is the texts of its parts joined, wherever a part ends with a whole character: leading spaces of the
   * first token are kept, nothing is cleaned up. `skipSpecialTokens` (default false): leave control tokens out.
   */
  decode(tokens: readonly TokenId[], options?: { readonly skipSpecialTokens?: boolean }): string
}
