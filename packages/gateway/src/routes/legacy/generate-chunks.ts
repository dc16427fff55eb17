import {
  type AbortOptions,
  ContextLengthError,
  GenerationFailedError,
  InvalidRequestError,
  type Model,
  type ModelSpec,
  type SamplingParams,
  type Session,
  type TokenId,
  type WaitOptions,
} from '@petals-chat/engine'
import { assertMayFit } from '../../generation/request/prompt-length.ts'
import { type LengthParams, newTokenLimit } from './generate-params.ts'

export interface ChunkRequest extends AbortOptions, WaitOptions {
  /** The session so far and the new inputs: at least one token, and at most `maxLength`. */
  readonly prompt: readonly TokenId[]
  readonly length: LengthParams
  readonly sampling: SamplingParams
  /** The greatest length of the prompt and the answer together, in tokens. */
  readonly maxLength: number
}

/**
 * Yields the results of repeated calls of `transformers`' `generate` with the same parameters: each ends at an end token
 * (which is part of it) or at its limit, and the next continues from there. One run of the engine serves them all. The
 * first one ends at the latest when the session is full, so that its text is not lost.
 * @throws ContextLengthError when the session is full, before the step that would exceed it.
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

/** Returns the tokens of the session and the new inputs; if there are none, the token that begins every text of the model. */
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
  throw new InvalidRequestError('inputs is missing: the session has no text that the model could continue.', {
    param: 'inputs',
    reason: 'missing_required_parameter',
  })
}

/** Returns the greatest length of a session in tokens, by the config and the model. */
export const allowedLength = (spec: ModelSpec, model: Model): number =>
  Math.min(spec.maxSessionLength ?? Infinity, model.contextLength)

/** @throws ContextLengthError if `length` tokens are more than `maxLength`. */
export function assertFits(length: number, maxLength: number): void {
  if (length > maxLength) throw new ContextLengthError(length, maxLength)
}
