import type { GenerationParams, SamplingParams } from '@petals-chat/engine'

/** What the original's page sampled with (config.py: `default_chat_config`), for models that say nothing of it. */
const usual = { temperature: 0.6, topP: 0.9 }

/** Sampling of a dialogue: what the user asks for, else what the model's entry says, else what is usual. */
export function chatSampling(generation: GenerationParams, temperature: number | undefined): SamplingParams {
  const isGreedy = generation.do_sample === false || generation.do_sample === 0
  const configured = generation.temperature ?? usual.temperature
  const isConfigured = generation.temperature !== undefined || generation.top_k !== undefined
  return {
    temperature: temperature ?? (isGreedy ? 0 : configured),
    topK: generation.top_k,
    topP: generation.top_p ?? (isConfigured ? undefined : usual.topP),
    minP: generation.min_p,
    repetitionPenalty: generation.repetition_penalty,
  }
}
