import { InvalidRequestError, type SamplingParams } from '@petals-chat/engine'
import { flagParam, floatParam, integerParam, type RawParams } from './python-values.ts'

/** The limits of an answer's length, as `transformers` counts. */
export interface LengthParams {
  /** Tokens of the session so far, the new inputs and the answer together. */
  readonly maxLength: number | undefined
  /** Tokens of the answer. Takes precedence over `maxLength`. */
  readonly maxNewTokens: number | undefined
}

/** The default of `transformers` (`GenerationConfig.max_length`). */
const DEFAULT_MAX_LENGTH = 20

/** The greatest count of 32-bit engines: only a hostile client sends more. */
const MAX_TOKENS = 2 ** 31 - 1

/** Clients send this `max_new_tokens` for: until the session is full. */
const UNTIL_FULL = -1

/** Below these, only the most probable token remains, and 32-bit engines would divide by zero. */
const SMALLEST_TEMPERATURE = 1e-4
const SMALLEST_TOP_P = 1e-6

export function parseLength(params: RawParams): LengthParams {
  return {
    maxLength: inRange(integerParam(params, 'max_length'), 'max_length', isTokenCount, 'at least 1'),
    maxNewTokens: newTokens(integerParam(params, 'max_new_tokens')),
  }
}

const newTokens = (requested: number | undefined): number | undefined =>
  requested === UNTIL_FULL
    ? MAX_TOKENS
    : inRange(requested, 'max_new_tokens', isTokenCount, 'at least 1, or -1 for no limit but the session')

/** Returns how many tokens one `generate` of `transformers` adds to `length` tokens: always at least one. */
export function newTokenLimit({ maxLength, maxNewTokens }: LengthParams, length: number): number {
  return maxNewTokens ?? Math.max((maxLength ?? DEFAULT_MAX_LENGTH) - length, 1)
}

/**
 * The original passes every parameter to `transformers`, missing ones as None, which disables that filter: neither the
 * library's nor the model's defaults apply. Without `do_sample`, only the penalty has an effect.
 */
export function parseSampling(params: RawParams): SamplingParams {
  const repetitionPenalty = inRange(
    floatParam(params, 'repetition_penalty'),
    'repetition_penalty',
    isPositive,
    'above 0',
  )
  const temperature = floatParam(params, 'temperature')
  const topK = integerParam(params, 'top_k')
  const topP = floatParam(params, 'top_p')
  if (!flagParam(params, 'do_sample')) return { temperature: 0, repetitionPenalty }
  return {
    temperature: usableTemperature(
      inRange(temperature, 'temperature', isTemperature, 'above 0, or 0 for greedy decoding'),
    ),
    repetitionPenalty,
    ...topKFilter(inRange(topK, 'top_k', isTopK, 'at least 1, or 0 or -1 for no limit')),
    ...topPFilter(inRange(topP, 'top_p', isNatural, 'between 0 and 1')),
  }
}

function usableTemperature(temperature = 1): number {
  return temperature < SMALLEST_TEMPERATURE ? 0 : temperature
}

/** 0 disables the filter, and so does -1, which clients of other servers send. */
function topKFilter(topK: number | undefined): Pick<SamplingParams, 'topK'> {
  return topK !== undefined && topK > 0 ? { topK: Math.min(topK, MAX_TOKENS) } : {}
}

/** 1 and above disable the filter; 0 leaves the most probable token. */
function topPFilter(topP: number | undefined): Pick<SamplingParams, 'topP'> {
  return topP === undefined || topP >= 1 ? {} : { topP: Math.max(topP, SMALLEST_TOP_P) }
}

const isPositive = (value: number) => Math.fround(value) > 0 && Math.fround(value) < Infinity
const isTemperature = (value: number) => value === 0 || isPositive(value)
const isTopK = (value: number) => value >= -1
const isNatural = (value: number) => value >= 0
const isTokenCount = (value: number) => value >= 1 && value <= MAX_TOKENS

function inRange(
  value: number | undefined,
  param: string,
  isValid: (value: number) => boolean,
  range: string,
): number | undefined {
  if (value === undefined || isValid(value)) return value
  throw new InvalidRequestError(`${param} must be ${range}, but is ${value}.`, {
    param,
    reason: 'invalid_value',
  })
}
