import type { Model } from '../engine.ts'
import { generationParamsSchema, type GenerationParams, type ModelSpec } from '../models/model-spec.ts'
import type { SamplingParams } from '../sampling-params.ts'

/** How a model samples and how long it answers where a request says nothing of it. */
export type GenerationDefaults = GenerationParams & { readonly max_new_tokens: number }

/** The original's own (config.py: `default_chat_config`). At temperature 1 a small model writes gibberish. */
const usualSampling: GenerationParams = { do_sample: true, temperature: 0.6, top_p: 0.9 }

/** Several pages of text. A model that does not find its end must not keep an engine, or a swarm, busy for hours. */
const usualAnswerLength = 2048

/** Says of a set of defaults that its author thought about how to sample. */
const choices = ['temperature', 'top_k', 'top_p', 'min_p'] as const

/**
 * The one place that decides what holds where a request is silent: each value of the model's entry in the config, else of
 * the model's own files; where neither says how to sample, as chat.petals.dev did.
 */
export function generationDefaults(
  { generation: configured }: Pick<ModelSpec, 'generation'>,
  model: Pick<Model, 'generation'> | undefined,
  usualLength = usualAnswerLength,
): GenerationDefaults {
  const said = { ...withoutGaps(model?.generation), ...withoutGaps(configured) }
  const isChosen = isGreedy(said) || choices.some((name) => said[name] !== undefined)
  const { max_new_tokens = usualLength } = said
  return { ...(isChosen ? {} : usualSampling), ...said, max_new_tokens }
}

/** What `transformers` calls greedy decoding. */
export const isGreedy = ({ do_sample }: GenerationParams): boolean => do_sample === false || do_sample === 0

/**
 * The defaults as engines take them, at the temperature that a request asks for, if it does. Who asks for 0 wants the most
 * probable tokens: a penalty from the defaults would give others.
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
 * Reads what a model's own files recommend: a `generation_config.json`, or the same names from elsewhere. What is not
 * understood, or out of range (`top_k: 0` is off, for instance), counts as not said: no file keeps a model from answering.
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

const withoutGaps = (params: GenerationParams = {}): GenerationParams =>
  Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined))
