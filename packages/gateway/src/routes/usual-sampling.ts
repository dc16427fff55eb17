import { generationDefaults, type ModelSpec, type ServedModel } from '@petals-chat/engine'

/** How a model samples where a request says nothing, in the names of Ollama and llama-server. */
export function usualSampling(spec: ModelSpec, model: ServedModel | undefined) {
  const own = generationDefaults(spec, model)
  const isGreedy = own.do_sample === false || own.do_sample === 0
  return {
    temperature: isGreedy ? 0 : own.temperature,
    top_k: own.top_k,
    top_p: own.top_p,
    min_p: own.min_p,
    repeat_penalty: own.repetition_penalty,
    frequency_penalty: own.frequency_penalty,
    max_new_tokens: own.max_new_tokens,
  }
}
