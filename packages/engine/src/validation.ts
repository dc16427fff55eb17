import type { GenerateOptions, Model } from './engine.ts'
import { ContextLengthError, InvalidRequestError } from './errors.ts'
import type { TextRequest } from './generation/generate-text.types.ts'
import type { SamplingParams } from './sampling-params.ts'
import type { TokenId } from './tokenizer.ts'

/** Maximum of `topLogprobs`. */
export const MAX_TOP_LOGPROBS = 20

interface Range {
  readonly accepts: (value: number) => boolean
  /** Continues "… must be". */
  readonly words: string
}

const isInteger = Number.isSafeInteger
const penalty: Range = { accepts: (value) => value >= -2 && value <= 2, words: 'a number from -2 to 2' }

const newTokens: Range = {
  accepts: (value) => isInteger(value) && value >= 1,
  words: 'an integer, 1 or more',
}

/** Names as every public API spells them: they go into `InvalidRequestError.param`. */
const samplingRanges = {
  temperature: { accepts: (value) => value >= 0 && value < Infinity, words: 'a number, 0 (greedy) or more' },
  top_k: { accepts: (value) => isInteger(value) && value >= 1, words: 'an integer, 1 or more' },
  top_p: { accepts: (value) => value > 0 && value <= 1, words: 'a number above 0 and at most 1' },
  min_p: { accepts: (value) => value >= 0 && value <= 1, words: 'a number from 0 to 1' },
  repetition_penalty: {
    accepts: (value) => value > 0 && value < Infinity,
    words: 'a number above 0 (1 is off)',
  },
  presence_penalty: penalty,
  frequency_penalty: penalty,
  seed: {
    accepts: (value) => isInteger(value) && value >= 0 && value < 2 ** 32,
    words: 'an integer from 0 to 4294967295',
  },
} satisfies Record<string, Range>

/** @throws InvalidRequestError that names the first field out of its range. */
export function validateSampling(sampling: SamplingParams, vocabSize = Infinity): void {
  check('temperature', sampling.temperature, samplingRanges.temperature)
  checkOptional('top_k', sampling.topK, samplingRanges.top_k)
  checkOptional('top_p', sampling.topP, samplingRanges.top_p)
  checkOptional('min_p', sampling.minP, samplingRanges.min_p)
  checkOptional('repetition_penalty', sampling.repetitionPenalty, samplingRanges.repetition_penalty)
  checkOptional('presence_penalty', sampling.presencePenalty, samplingRanges.presence_penalty)
  checkOptional('frequency_penalty', sampling.frequencyPenalty, samplingRanges.frequency_penalty)
  checkOptional('seed', sampling.seed, samplingRanges.seed)
  for (const [token, bias] of sampling.logitBias ?? []) {
    checkToken('logit_bias', token, vocabSize)
    check('logit_bias', bias, {
      accepts: (value) => value >= -100 && value <= 100,
      words: `a number from -100 to 100 (for token ${token})`,
    })
  }
}

/** @throws InvalidRequestError that names the first option out of its range, or one that this model's engine does not support. */
export function validateGenerateOptions(
  options: GenerateOptions,
  model: Pick<Model, 'id' | 'tokenizer' | 'capabilities'>,
): void {
  validateSampling(options.sampling, model.tokenizer.vocabSize)
  if (options.topLogprobs !== undefined) {
    validateTopLogprobs(options.topLogprobs)
    if (!model.capabilities.logprobs) throw unsupported('top_logprobs', 'log probabilities', model.id)
  }
  if (options.grammar !== undefined && !model.capabilities.grammar) {
    throw unsupported('grammar', 'answers of a given form (JSON schema, grammar, tools)', model.id)
  }
  checkOptional('max_new_tokens', options.maxNewTokens, newTokens)
  for (const token of options.prediction ?? []) checkToken('prediction', token, model.tokenizer.vocabSize)
}

/** @throws InvalidRequestError */
export function validateTopLogprobs(value: number): void {
  check('top_logprobs', value, {
    accepts: (count) => isInteger(count) && count >= 0 && count <= MAX_TOP_LOGPROBS,
    words: `an integer from 0 to ${MAX_TOP_LOGPROBS}`,
  })
}

/** Checks that there is at least one token, and that each is in the vocabulary. @throws InvalidRequestError */
export function validateTokens(tokens: readonly TokenId[], vocabSize: number, param = 'prompt'): void {
  if (tokens.length === 0) {
    throw new InvalidRequestError(`${param} must have at least one token.`, {
      param,
      reason: 'invalid_value',
    })
  }
  for (const token of tokens) checkToken(param, token, vocabSize)
}

/** @throws InvalidRequestError if `maxLength` is not a valid length, ContextLengthError if it exceeds `contextLength`. */
export function validateSessionLength(maxLength: number, contextLength: number): void {
  check('max_length', maxLength, {
    accepts: (length) => isInteger(length) && length >= 1,
    words: `an integer from 1 to ${contextLength}`,
  })
  if (maxLength > contextLength) throw new ContextLengthError(maxLength, contextLength)
}

/** @throws InvalidRequestError unless 0 ≤ length ≤ `cached`, an integer. */
export function validateTruncation(length: number, cached: number): void {
  check('length', length, {
    accepts: (value) => isInteger(value) && value >= 0 && value <= cached,
    words: `an integer from 0 to ${cached}, the tokens in the cache`,
  })
}

/** @throws InvalidRequestError */
export function validateTextRequest(
  request: TextRequest,
  model: Pick<Model, 'id' | 'tokenizer' | 'capabilities'>,
): void {
  validateTokens(request.tokens, model.tokenizer.vocabSize)
  validateGenerateOptions(request, model)
  check('max_new_tokens', request.maxNewTokens, newTokens)
  for (const stop of request.stop) {
    if (typeof stop !== 'string' || stop === '' || !stop.isWellFormed()) {
      throw new InvalidRequestError('stop must be texts of at least one character.', {
        param: 'stop',
        reason: 'invalid_value',
      })
    }
  }
}

function checkOptional(param: string, value: number | undefined, range: Range): void {
  if (value !== undefined) check(param, value, range)
}

function check(param: string, value: number, { accepts, words }: Range): void {
  if (typeof value === 'number' && accepts(value)) return
  const reason = typeof value === 'number' ? 'invalid_value' : 'invalid_type'
  throw new InvalidRequestError(`${param} must be ${words}; got ${shown(value)}.`, { param, reason })
}

function checkToken(param: string, token: TokenId, vocabSize: number): void {
  check(param, token, {
    accepts: (id) => isInteger(id) && id >= 0 && id < vocabSize,
    words: vocabSize === Infinity ? 'token ids, 0 or more' : `token ids from 0 to ${vocabSize - 1}`,
  })
}

/** Formats a value that is not a number, short enough for a message. */
function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : (JSON.stringify(value)?.slice(0, 60) ?? String(value))
}

function unsupported(param: string, what: string, model: string): InvalidRequestError {
  return new InvalidRequestError(`The engine of the model '${model}' does not support ${what}.`, {
    param,
    reason: 'unsupported_parameter',
  })
}
