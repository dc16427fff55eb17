/** Fields that have no effect on the answer, and why. A test holds docs/compatibility.md against this table. */
export type IgnoredParameters = Readonly<Record<string, string>>

/** Fields of OpenAI's API. */
const ofOpenAI: IgnoredParameters = {
  user: 'An id of the end user.',
  safety_identifier: 'An id of the end user.',
  metadata: 'Notes for OpenAI’s dashboard.',
  store: 'Storage at OpenAI.',
  service_tier: 'OpenAI’s price classes.',
  prompt_cache_key: 'KV caches are found by prefix, without a key.',
  prompt_cache_retention: 'KV caches are kept while there is space.',
}

/** Fields of other servers: scheduling, caches, logs, routing; additional figures; settings of samplers that are off. */
const ofOtherServers: IgnoredParameters = {
  cache_prompt: 'llama-server: KV caches are always reused.',
  id_slot: 'llama-server: sessions are chosen by their KV cache.',
  n_keep: 'llama-server: a full context ends the answer; nothing is shifted out of it.',
  n_discard: 'llama-server: the same.',
  n_cache_reuse: 'llama-server: a setting of its cache.',
  timings_per_token: 'llama-server: `timings` is part of the last event.',
  return_progress: 'llama-server: events about the prompt are not sent.',
  dynatemp_exponent: 'llama-server: no effect while `dynatemp_range` is off.',
  xtc_threshold: 'llama-server: no effect while `xtc_probability` is off.',
  dry_base: 'llama-server: no effect while `dry_multiplier` is off.',
  dry_allowed_length: 'llama-server: the same.',
  dry_penalty_last_n: 'llama-server: the same.',
  dry_sequence_breakers: 'llama-server: the same.',
  mirostat_tau: 'llama-server: no effect while `mirostat` is off.',
  mirostat_eta: 'llama-server: the same.',
  grammar_lazy: 'llama-server: no effect without `grammar`.',
  grammar_triggers: 'llama-server: the same.',
  backend_sampling: 'llama-server: the device that samples.',
  priority: 'vLLM: requests are served in order of arrival.',
  request_id: 'vLLM: the header `x-request-id` identifies a request.',
  cache_salt: 'vLLM: a setting of its cache.',
  mm_processor_kwargs: 'vLLM: settings for images.',
  media_io_kwargs: 'vLLM: settings for images.',
  kv_transfer_params: 'vLLM: its transfer of KV caches.',
  guided_decoding_backend: 'vLLM: the library that enforces the format.',
  keep_alive: 'Ollama: the configuration decides how long models stay loaded.',
  num_ctx: 'Ollama: the model or the configuration sets the context.',
}

/** Fields that clients and gateways use for their own purposes. */
const ofClients: IgnoredParameters = {
  provider: 'OpenRouter: the provider to use.',
  models: 'OpenRouter: the models to try next.',
  route: 'OpenRouter: the same.',
  transforms: 'OpenRouter: its shortening of prompts.',
  usage: 'OpenRouter: `usage` is always returned.',
  tags: 'LiteLLM: labels for its log.',
  litellm_metadata: 'LiteLLM: the same.',
  litellm_session_id: 'LiteLLM: the same.',
  litellm_trace_id: 'LiteLLM: the same.',
  litellm_call_id: 'LiteLLM: the same.',
  session_id: 'Open WebUI, OpenRouter: the client’s own id.',
  chat_id: 'Open WebUI: the client’s own id.',
  message_id: 'Open WebUI: the client’s own id.',
  conversation_id: 'The client’s own id.',
  background_tasks: 'Open WebUI: its work after the answer.',
  features: 'Open WebUI: its work before the request.',
  variables: 'Open WebUI: the same.',
  chat_completion_source: 'SillyTavern: the kind of server.',
  api_type: 'SillyTavern: the same.',
  api_server: 'SillyTavern: the address of the server.',
  legacy_api: 'SillyTavern: the kind of API.',
  rep_pen_range: 'SillyTavern: no effect while `rep_pen` is off.',
  rep_pen_slope: 'SillyTavern: the same.',
  dynatemp_low: 'SillyTavern: no effect while `dynamic_temperature` is off.',
  dynatemp_high: 'SillyTavern: the same.',
  smoothing_curve: 'SillyTavern: no effect while `smoothing_factor` is off.',
  truncation_length: 'SillyTavern: its shortening of prompts.',
}

/** Accepted and ignored by every call of /v1. */
export const ignoredParameters: IgnoredParameters = { ...ofOpenAI, ...ofOtherServers, ...ofClients }
