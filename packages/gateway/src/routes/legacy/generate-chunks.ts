import {
  type AbortOptions,
  ContextLengthError,
  GenerationFailedError,
  InvalidRequestError,
  type Model,
  type SamplingParams,
  type Session,
  type TokenId,
  type WaitOptions,
} from '@petals-chat/engine'
import { assertMayFit } from '../prompt-length.ts'
import { type LengthParams, newTokenLimit } from './generate-params.ts'

export interface ChunkRequest extends AbortOptions, WaitOptions {
  /** The session so far and the new inputs; at least one token, and no more than fit. */
  readonly prompt: readonly TokenId[]
  readonly length: LengthParams
  readonly sampling: SamplingParams
  /** Tokens of prompt and answer together that fit into the session's KV cache. */
  readonly maxLength: number
}

/**
 * What repeated calls of `transformers`' `generate` with the same parameters give, call by call: each ends at an end
 * token (which is part of it) or at its limit, and the next goes on from there. One run of the engine serves them all. The
 * first one ends with the session at the latest: what was said until then is not lost.
 * @throws ContextLengthError when the session is full, before the step that would not fit.
 */
export async function* generateChunks(
  model: Model,
  session: Session,
  { prompt, length, sampling, maxLength, onWait, signal }: ChunkRequest,
): AsyncGenerator<readonly TokenId[], never, undefined> {
  const { eosTokens } = model.tokenizer
  let total = prompt.length
  let limit = Math.min(newTokenLimit(length, total), Math.max(maxLength - total, 1))
  let chunk: TokenId[] = []
  const tokens = prompt.slice(session.tokens.length)
  for await (const { token } of session.generate(tokens, { sampling, onWait, signal })) {
    chunk.push(token)
    total += 1
    if (chunk.length === limit || eosTokens.has(token)) {
      yield chunk
      chunk = []
      limit = newTokenLimit(length, total)
    }
    assertFits(total, maxLength)
  }
  throw new GenerationFailedError('The engine stopped before the answer was complete.')
}

/** The tokens to begin with; where there are none, the one that begins every text of the model. */
export function promptTokens(
  model: Model,
  previous: readonly TokenId[],
  inputs: string | undefined,
): TokenId[] {
  assertMayFit(inputs ?? '', model)
  const prompt = [...previous, ...(inputs ? model.tokenizer.encode(inputs) : [])]
  if (prompt.length > 0) return prompt
  const { bosToken } = model.tokenizer
  if (bosToken !== undefined) return [bosToken]
  throw new InvalidRequestError('inputs is missing: there is nothing yet that the model could continue.', {
    param: 'inputs',
    reason: 'missing_required_parameter',
  })
}

/** @throws ContextLengthError */
export function assertFits(length: number, maxLength: number): void {
  if (length > maxLength) throw new ContextLengthError(length, maxLength)
}
