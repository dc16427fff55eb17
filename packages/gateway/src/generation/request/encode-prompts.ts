import type { CompletionPrompt } from '@petals-chat/api'
import { ContextLengthError, InvalidRequestError, type Model, type TokenId } from '@petals-chat/engine'
import { setImmediate } from 'node:timers/promises'
import { assertMayFit } from './prompt-length.ts'
import { checkTokens } from './limits.ts'

export interface EncodedPrompt {
  readonly text: string
  readonly tokens: readonly TokenId[]
}

/** The prompts of a field: a single text, or a single list of ids, is a list of one. */
export function promptsOf(prompt: CompletionPrompt): readonly (string | TokenId[])[] {
  if (typeof prompt === 'string') return [prompt]
  return typeof prompt[0] === 'number' ? [prompt as TokenId[]] : (prompt as (string | TokenId[])[])
}

/** Encodes one prompt after another and lets other requests run in between. Errors name `param` and the place in it. */
export async function encodePrompts(
  prompt: CompletionPrompt,
  model: Pick<Model, 'tokenizer' | 'contextLength'>,
  param: string,
): Promise<readonly EncodedPrompt[]> {
  const prompts = promptsOf(prompt)
  const encoded: EncodedPrompt[] = []
  for (const [index, one] of prompts.entries()) {
    encoded.push(encodePrompt(one, model, prompts.length > 1 ? `${param}[${index}]` : param))
    await setImmediate()
  }
  return encoded
}

/** Texts get the tokens that the tokenizer adds (BOS); token ids stay as they are. */
function encodePrompt(
  prompt: string | readonly TokenId[],
  { tokenizer, contextLength }: Pick<Model, 'tokenizer' | 'contextLength'>,
  param: string,
): EncodedPrompt {
  if (typeof prompt !== 'string') {
    checkTokens(prompt, tokenizer.vocabSize, param)
    if (prompt.length > contextLength) throw new ContextLengthError(prompt.length, contextLength)
    return { text: tokenizer.decode(prompt, { skipSpecialTokens: true }), tokens: prompt }
  }
  assertMayFit(prompt, { tokenizer, contextLength })
  const tokens = tokenizer.encode(prompt, { addSpecialTokens: true })
  if (tokens.length > 0) return { text: prompt, tokens }
  throw new InvalidRequestError(
    `Invalid '${param}': it has no token for the model to continue from. Send some text.`,
    {
      param,
      reason: 'empty_string',
    },
  )
}
