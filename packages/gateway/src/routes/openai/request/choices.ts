import { InvalidRequestError, type Model } from '@petals-chat/engine'

/** @throws InvalidRequestError if a request asks for more answers than the server gives at once. */
export function checkChoices(prompts: number, n: number, maxChoices: number): void {
  if (prompts * n <= maxChoices) return
  const [param, asked] =
    n > maxChoices ? ['n', `${n} answers`] : ['prompt', `${n} to each of ${prompts} prompts`]
  throw new InvalidRequestError(
    `Invalid '${param}': this server gives ${maxChoices} answers to one request at most, not ${asked}.`,
    { param, reason: 'invalid_value' },
  )
}

/** @throws InvalidRequestError if the model's engine gives no log probabilities. */
export function requireLogprobs(
  model: Model,
  param: string,
  capability: 'logprobs' | 'promptLogprobs',
): void {
  if (model.capabilities[capability]) return
  const what = capability === 'logprobs' ? 'log probabilities' : 'log probabilities of the prompt'
  throw new InvalidRequestError(
    `The engine of the model '${model.id}' gives no ${what}; leave '${param}' out.`,
    {
      param,
      reason: 'unsupported_parameter',
    },
  )
}

/** An empty text ends nothing: forms of clients send it where nothing was filled in. */
export const toStop = (stop: string | readonly string[] | null | undefined): readonly string[] =>
  [stop ?? []].flat().filter((text) => text !== '')

/** @throws InvalidRequestError if more answers should be made than given. */
export function checkBestOf(bestOf: number | null | undefined, n: number): void {
  if (bestOf == null || bestOf === n) return
  const message =
    bestOf < n
      ? `Invalid 'best_of': it can't be less than 'n' (${n}).`
      : `Unsupported parameter: 'best_of' above 'n' is not supported here. Ask for n: ${bestOf} with logprobs and choose yourself.`
  throw new InvalidRequestError(message, {
    param: 'best_of',
    reason: bestOf < n ? 'invalid_value' : 'unsupported_parameter',
  })
}

/** @throws InvalidRequestError if an answer that is not streamed should be resumable. */
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
