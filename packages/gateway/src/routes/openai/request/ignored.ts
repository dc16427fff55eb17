/** Fields that have no bearing on the answer, and why; docs/compatibility.md is held against the table by a test. */
export type IgnoredParameters = Readonly<Record<string, string>>

/** Of OpenAI's own API. */
const ofOpenAI: IgnoredParameters = {
  user: 'An id of the end user.',
  safety_identifier: 'An id of the end user.',
  metadata: 'Notes for OpenAI’s dashboard.',
  store: 'Storing at OpenAI.',
  service_tier: 'OpenAI’s price classes.',
  prompt_cache_key: 'KV caches are found by prefix here, without a key.',
  prompt_cache_retention: 'KV caches are kept while there is room.',
  prediction: 'A guess of the answer, which would only make it faster.',
}

/** Of servers: how they schedule, cache, log and route; figures that they add; settings of samplers that are off. */
const ofOtherServers: IgnoredParameters = {
  cache_prompt: 'llama-server: KV caches are always reused.',
  id_slot: 'llama-server: sessions are chosen by their KV cache.',
  n_keep: 'llama-server: a context that is full ends the answer, nothing is shifted out of it.',
  n_discard: 'llama-server: the same.',
  n_cache_reuse: 'llama-server: a setting of its cache.',
  timings_per_token: 'llama-server: `timings` comes with the last event.',
  return_progress: 'llama-server: events about the prompt are not sent.',
  dynatemp_exponent: 'llama-server: without effect while `dynatemp_range` is off.',
  xtc_threshold: 'llama-server: without effect while `xtc_probability` is off.',
  dry_base: 'llama-server: without effect while `dry_multiplier` is off.',
  dry_allowed_length: 'llama-server: the same.',
  dry_penalty_last_n: 'llama-server: the same.',
  dry_sequence_breakers: 'llama-server: the same.',
  mirostat_tau: 'llama-server: without effect while `mirostat` is off.',
  mirostat_eta: 'llama-server: the same.',
  grammar_lazy: 'llama-server: without effect without `grammar`.',
  grammar_triggers: 'llama-server: the same.',
  backend_sampling: 'llama-server: where it samples.',
  priority: 'vLLM: requests are taken in turn.',
  request_id: 'vLLM: the header `x-request-id` names a request.',
  cache_salt: 'vLLM: a setting of its cache.',
  mm_processor_kwargs: 'vLLM: settings for images.',
  media_io_kwargs: 'vLLM: settings for images.',
  kv_transfer_params: 'vLLM: how it moves KV caches.',
  guided_decoding_backend: 'vLLM: the library that keeps the form.',
  keep_alive: 'Ollama: models stay loaded as the config says.',
  num_ctx: 'Ollama: the context is the model’s, or the config’s.',
}

/** Of clients and gateways, which are about themselves. */
const ofClients: IgnoredParameters = {
  provider: 'OpenRouter: whom it asks.',
  models: 'OpenRouter: whom it asks next.',
  route: 'OpenRouter: the same.',
  transforms: 'OpenRouter: how it shortens prompts.',
  usage: 'OpenRouter: `usage` is always given.',
  tags: 'LiteLLM: marks for its log.',
  litellm_metadata: 'LiteLLM: the same.',
  litellm_session_id: 'LiteLLM: the same.',
  litellm_trace_id: 'LiteLLM: the same.',
  litellm_call_id: 'LiteLLM: the same.',
  session_id: 'Open WebUI, OpenRouter: the client’s own id.',
  chat_id: 'Open WebUI: the client’s own id.',
  message_id: 'Open WebUI: the client’s own id.',
  conversation_id: 'The client’s own id.',
  background_tasks: 'Open WebUI: what it does afterwards.',
  features: 'Open WebUI: what it does beforehand.',
  variables: 'Open WebUI: the same.',
  chat_completion_source: 'SillyTavern: which kind of server it asks.',
  api_type: 'SillyTavern: the same.',
  api_server: 'SillyTavern: the address that it asks.',
  legacy_api: 'SillyTavern: how it asks.',
  rep_pen_range: 'SillyTavern: without effect while `rep_pen` is off.',
  rep_pen_slope: 'SillyTavern: the same.',
  dynatemp_low: 'SillyTavern: without effect while `dynamic_temperature` is off.',
  dynatemp_high: 'SillyTavern: the same.',
  smoothing_curve: 'SillyTavern: without effect while `smoothing_factor` is off.',
  truncation_length: 'SillyTavern: how it shortens prompts.',
}

/** Accepted and ignored by every call of /v1. */
export const ignoredParameters: IgnoredParameters = { ...ofOpenAI, ...ofOtherServers, ...ofClients }
