import type { Prediction } from '@petals-chat/api'
import type { Model, TokenId } from '@petals-chat/engine'

/** Characters per token, above which a text can hardly fit into a context. */
const charactersPerToken = 8

/**
 * Returns the tokens that the answer is expected to repeat; none without a prediction. What no answer has room for is left
 * out before it is tokenized, which would take long.
 */
export function predictedTokens(
  prediction: Prediction | null | undefined,
  { tokenizer, contextLength }: Pick<Model, 'tokenizer' | 'contextLength'>,
): readonly TokenId[] | undefined {
  if (prediction == null) return undefined
  const { content } = prediction
  const text = typeof content === 'string' ? content : content.map((part) => part.text).join('')
  return tokenizer.encode(text.slice(0, contextLength * charactersPerToken)).slice(0, contextLength)
}
