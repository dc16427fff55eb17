import {
  ContextLengthError,
  generationDefaults,
  InvalidRequestError,
  type Model,
  type ModelSpec,
  type TokenId,
} from '@petals-chat/engine'

export interface Budget {
  readonly promptTokens: number
  /** What the client asked for, if it did. */
  readonly requested: number | undefined
  /** Where neither the client nor the model says anything; default what is usual for an answer. */
  readonly fallback?: number | undefined
}

/** Tokens that the answer may have. @throws ContextLengthError if the prompt, or what was asked for, has no room. */
export function answerLength(model: Model, spec: ModelSpec, budget: Budget): number {
  const { promptTokens, requested } = budget
  const maximum = Math.min(model.contextLength, spec.maxSessionLength ?? Infinity)
  const room = maximum - promptTokens
  const wanted = requested ?? 1
  if (wanted > room) throw tooLong(promptTokens, wanted, maximum)
  return requested ?? Math.min(generationDefaults(spec, model, budget.fallback).max_new_tokens, room)
}

const tooLong = (prompt: number, answer: number, maximum: number): ContextLengthError =>
  new ContextLengthError(
    prompt + answer,
    maximum,
    `This model's maximum context length is ${maximum} tokens. However, you requested ${prompt + answer} tokens ` +
      `(${prompt} in the prompt, ${answer} in the answer). Please reduce the length of the prompt or of the answer.`,
  )

/** @throws InvalidRequestError naming the first id that is not in the model's vocabulary. */
export function checkTokens(tokens: readonly TokenId[], vocabSize: number, param: string): void {
  const place = tokens.findIndex((token) => token >= vocabSize)
  if (place === -1) return
  throw new InvalidRequestError(
    `Invalid '${param}[${place}]': the model has tokens 0 to ${vocabSize - 1}, not ${tokens[place]}.`,
    { param: `${param}[${place}]`, reason: 'invalid_value' },
  )
}
