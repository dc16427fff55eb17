import type { Model } from '../engine.ts'
import { generationParamsSchema, type GenerationParams, type ModelSpec } from '../models/model-spec.ts'
import type { SamplingParams } from '../sampling-params.ts'

/** Sampling and maximum answer length of a model, for requests that don't set them. */
export type GenerationDefaults = GenerationParams & { readonly max_new_tokens: number }

/** The original's defaults (config.py: `default_chat_config`). At temperature 1 a small model writes gibberish. */
const usualSampling: GenerationParams = { do_sample: true, temperature: 0.6, top_p: 0.9 }

/** Several pages of text. A model that never ends its answer must not keep an engine, or a swarm, busy for hours. */
const usualAnswerLength = 2048

/** If a set of defaults has one of these, its author chose how to sample. */
const choices = ['temperature', 'top_k', 'top_p', 'min_p'] as const

/**
 * Returns the values for what a request leaves out; no other code decides this. Each comes from the model's entry in the
 * config, else from the model's own files. If neither says how to sample, the defaults of chat.petals.dev apply.
 */
export function generationDefaults(
  { generation: configured }: Pick<ModelSpec, 'generation'>,
  model: Pick<Model, 'generation'> | undefined,
  usualLength = usualAnswerLength,
): GenerationDefaults {
  const given = { ...withoutUndefined(model?.generation), ...withoutUndefined(configured) }
  const isChosen = isGreedy(given) || choices.some((name) => given[name] !== undefined)
  const { max_new_tokens = usualLength } = given
  return { ...(isChosen ? {} : usualSampling), ...given, max_new_tokens }
}

/** Returns whether `transformers` would decode greedily. */
export const isGreedy = ({ do_sample }: GenerationParams): boolean => do_sample === false || do_sample === 0

/**
 * Converts the defaults to parameters of engines, with the temperature of the request if it sets one. Temperature 0 asks
 * for the most probable tokens: penalties from the defaults would give others, so they are left out.
 */
export function toSamplingParams(defaults: GenerationParams, temperature?: number | null): SamplingParams {
  return {
    temperature: temperature ?? (isGreedy(defaults) ? 0 : (defaults.temperature ?? 1)),
    topK: defaults.top_k,
    topP: defaults.top_p,
    minP: defaults.min_p,
    repetitionPenalty: temperature === 0 ? undefined : defaults.repetition_penalty,
    frequencyPenalty: temperature === 0 ? undefined : defaults.frequency_penalty,
  }
}

/**
 * Reads what a model's own files recommend: a `generation_config.json`, or the same names from elsewhere. Unknown and
 * out-of-range values (`top_k: 0` means off, for instance) are ignored: a file must not keep a model from answering.
 */
export function parseGenerationConfig(json: unknown): GenerationParams {
  if (typeof json !== 'object' || json === null) return {}
  const { shape } = generationParamsSchema
  const entries = Object.entries(json).filter(
    ([name, value]) =>
      value !== null &&
      Object.hasOwn(shape, name) &&
      shape[name as keyof typeof shape].safeParse(value).success,
  )
  return generationParamsSchema.parse(Object.fromEntries(entries))
}

const withoutUndefined = (params: GenerationParams = {}): GenerationParams =>
  Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined))
