import { type AbortOptions, Detokenizer, type Model, type Session, type TokenId } from '@petals-chat/engine'
import { scoredTokens } from '../answer/scored-tokens.ts'
import type { ScoredText } from './scored-text.ts'

/** Splits the prompt into pieces of whole characters, with the log probability of every token. Leaves the prompt in the KV cache. */
export async function scorePrompt(
  { tokenizer }: Pick<Model, 'tokenizer'>,
  session: Session,
  tokens: readonly TokenId[],
  options: AbortOptions & { readonly topLogprobs: number },
): Promise<readonly ScoredText[]> {
  // A cached prefix no longer has log probabilities: run the whole prompt again.
  if (session.tokens.length > 0) await session.truncate(0, options)
  const scores = await session.score!(tokens, options)
  const detokenizer = new Detokenizer(tokenizer, { skipSpecialTokens: true })
  const pieces = [...scores.map((score) => detokenizer.push(score)), detokenizer.flush()]
  return pieces
    .filter((piece) => piece !== undefined)
    .map((piece) => ({ text: piece.text, tokens: scoredTokens(piece.tokens, tokenizer) }))
}
