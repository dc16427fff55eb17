import type { ChatRequest, CompletionRequest } from '@petals-chat/api'
import {
  generationDefaults,
  InvalidRequestError,
  toSamplingParams,
  type Model,
  type ModelSpec,
  type SamplingParams,
  type TokenId,
} from '@petals-chat/engine'

export type SamplingRequest = Pick<
  ChatRequest & CompletionRequest,
  | 'temperature'
  | 'top_p'
  | 'top_k'
  | 'min_p'
  | 'repetition_penalty'
  | 'repeat_penalty'
  | 'presence_penalty'
  | 'frequency_penalty'
  | 'logit_bias'
  | 'seed'
  | 'random_seed'
>

/** OpenAI allows 0, which can only mean the most probable token; engines require more than 0. */
const smallestTopP = 1e-6

/** Below this, the most probable token is certain, and 32-bit engines would divide by zero. */
const smallestTemperature = 1e-4

/** The request's parameters, else the model's defaults. */
export function toSampling(
  request: SamplingRequest,
  spec: Pick<ModelSpec, 'generation'>,
  model: Pick<Model, 'tokenizer' | 'generation'>,
): SamplingParams {
  const { vocabSize } = model.tokenizer
  const defaults = toSamplingParams(generationDefaults(spec, model), request.temperature)
  const { temperature } = defaults
  const topK = request.top_k ?? defaults.topK ?? 0
  const topP = request.top_p ?? defaults.topP
  return {
    temperature: temperature < smallestTemperature ? 0 : temperature,
    topK: topK > 0 ? Math.min(topK, vocabSize) : undefined,
    topP: topP === undefined ? undefined : Math.max(topP, smallestTopP),
    minP: request.min_p ?? defaults.minP,
    repetitionPenalty: request.repetition_penalty ?? request.repeat_penalty ?? defaults.repetitionPenalty,
    presencePenalty: request.presence_penalty ?? undefined,
    frequencyPenalty: request.frequency_penalty ?? defaults.frequencyPenalty,
    logitBias: toLogitBias(request.logit_bias, vocabSize),
    seed: toSeed(request.seed ?? request.random_seed),
  }
}

/** Gives each of `n` choices a different seed; otherwise all choices would be equal. */
export function samplingOfChoice(sampling: SamplingParams, choice: number): SamplingParams {
  return sampling.seed === undefined ? sampling : { ...sampling, seed: within32Bits(sampling.seed + choice) }
}

/** Values for a new seed per request: -1 in llama-server and vLLM, and -1 as llama.cpp writes it, unsigned. */
const randomSeeds: readonly number[] = [-1, 2 ** 32 - 1]

/** Reports whether a seed stands for a new one in every request. */
export const isNewSeed = (seed: number): boolean => randomSeeds.includes(seed)

const toSeed = (seed: number | null | undefined): number | undefined =>
  seed == null || isNewSeed(seed) ? undefined : within32Bits(seed)

const within32Bits = (seed: number): number => ((seed % 2 ** 32) + 2 ** 32) % 2 ** 32

function toLogitBias(
  bias: SamplingRequest['logit_bias'],
  vocabSize: number,
): ReadonlyMap<TokenId, number> | undefined {
  if (!bias) return undefined
  const pairs = Array.isArray(bias) ? bias : Object.entries(bias)
  const entries = pairs.map(([token, value]) => [Number(token), value === false ? -100 : value] as const)
  const unknown = entries.find(([token]) => token >= vocabSize)
  if (!unknown) return entries.length > 0 ? new Map(entries) : undefined
  throw new InvalidRequestError(
    `Invalid 'logit_bias': the model has tokens 0 to ${vocabSize - 1}, not ${unknown[0]}.`,
    {
      param: 'logit_bias',
      reason: 'invalid_value',
    },
  )
}
