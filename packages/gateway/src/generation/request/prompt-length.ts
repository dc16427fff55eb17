import { ContextLengthError, type Model, type Tokenizer } from '@petals-chat/engine'

/** Characters per token. A text below this multiple of the context may fit, so the vocabulary need not be searched. */
const USUAL_TOKEN_LENGTH = 8

const longestTokens = new WeakMap<Tokenizer, number>()

/**
 * Refuses a text that is too long whatever its tokens are. Tokenizing takes microseconds per character and blocks this
 * process: megabytes would block it for many seconds before they are refused.
 * @throws ContextLengthError
 */
export function assertMayFit(
  text: string,
  { tokenizer, contextLength }: Pick<Model, 'tokenizer' | 'contextLength'>,
): void {
  if (text.length <= contextLength * USUAL_TOKEN_LENGTH) return
  const tokens = Math.ceil(text.length / longestToken(tokenizer))
  if (tokens > contextLength) throw tooLong(text.length, tokens, contextLength)
}

/** Returns the length of the longest token in UTF-16 code units. */
function longestToken(tokenizer: Tokenizer): number {
  const known = longestTokens.get(tokenizer)
  if (known !== undefined) return known
  let longest = 1
  for (let token = 0; token < tokenizer.vocabSize; token++) {
    longest = Math.max(longest, tokenizer.decode([token]).length)
  }
  longestTokens.set(tokenizer, longest)
  return longest
}

const tooLong = (characters: number, tokens: number, maximum: number): ContextLengthError =>
  new ContextLengthError(
    tokens,
    maximum,
    `This model's maximum context length is ${maximum} tokens. However, your text of ${characters} characters has ` +
      `at least ${tokens} tokens. Please shorten it.`,
  )
