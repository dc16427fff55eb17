import { InvalidRequestError, type Model } from '@petals-chat/engine'

/** @throws InvalidRequestError if a request asks for more answers than the server gives to one request. */
export function checkChoices(prompts: number, n: number, maxChoices: number): void {
  if (prompts * n <= maxChoices) return
  const [param, asked] =
    n > maxChoices ? ['n', `${n} answers`] : ['prompt', `${n} for each of ${prompts} prompts`]
  throw new InvalidRequestError(
    `Invalid '${param}': this server gives at most ${maxChoices} answers to one request, not ${asked}.`,
    { param, reason: 'invalid_value' },
  )
}

/** @throws InvalidRequestError if the model's engine does not return log probabilities. */
export function requireLogprobs(
  model: Model,
  param: string,
  capability: 'logprobs' | 'promptLogprobs',
): void {
  if (model.capabilities[capability]) return
  const what = capability === 'logprobs' ? 'log probabilities' : 'log probabilities of the prompt'
  throw new InvalidRequestError(
    `The engine of the model '${model.id}' does not return ${what}; omit '${param}'.`,
    {
      param,
      reason: 'unsupported_parameter',
    },
  )
}

/** Drops empty texts, which have no effect: clients send them for empty input fields. */
export const toStop = (stop: string | readonly string[] | null | undefined): readonly string[] =>
  [stop ?? []].flat().filter((text) => text !== '')

/** @throws InvalidRequestError if the request asks to generate more answers than to return. */
export function checkBestOf(bestOf: number | null | undefined, n: number): void {
  if (bestOf == null || bestOf === n) return
  const message =
    bestOf < n
      ? `Invalid 'best_of': it can't be less than 'n' (${n}).`
      : `Unsupported parameter: 'best_of' above 'n' is not supported here. Request n: ${bestOf} with logprobs and choose in the client.`
  throw new InvalidRequestError(message, {
    param: 'best_of',
    reason: bestOf < n ? 'invalid_value' : 'unsupported_parameter',
  })
}

/** @throws InvalidRequestError if a request without a stream asks for a resumable answer. */
export function checkResumable(request: {
  readonly stream?: boolean | null | undefined
  readonly resumable?: boolean | null | undefined
}): void {
  if (!request.resumable || request.stream) return
  throw new InvalidRequestError(`'resumable' is only allowed when 'stream' is true.`, {
    param: 'resumable',
    reason: 'invalid_value',
  })
}
