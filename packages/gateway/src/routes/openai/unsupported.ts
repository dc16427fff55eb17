import { never, type UnsupportedParameters } from '../../generation/request/unsupported.ts'

const sampler = (...off: readonly unknown[]) =>
  never('Use temperature, top_k, top_p, min_p and the penalties.', ...off)
const penalty = (...off: readonly unknown[]) =>
  never('Use repetition_penalty, presence_penalty and frequency_penalty.', ...off)
const beams = (...off: readonly unknown[]) => never('Beam search is not supported: omit it.', ...off)
const answerShape = (...off: readonly unknown[]) => never('Responses have one shape: omit it.', ...off)
const thoughts = (...off: readonly unknown[]) =>
  never('Use chat_template_kwargs, as the model’s template defines it, or reasoning_effort.', ...off)

/** Parameters for the format of an answer. */
const ofForms: UnsupportedParameters = {
  guided_whitespace_pattern: never('Generated JSON is compact: omit it.'),
  format: never('Use response_format.', ''),
}

/** Samplers and controls of other servers; ignoring them would give a different answer from the one requested. */
const ofSamplers: UnsupportedParameters = {
  do_sample: never('Use temperature; 0 switches sampling off.', true),
  typical_p: sampler(1),
  typ_p: sampler(1),
  typical: sampler(1),
  tfs_z: sampler(1),
  tfs: sampler(1),
  top_a: sampler(0),
  top_n_sigma: sampler(-1, 0),
  nsigma: sampler(-1, 0),
  min_keep: sampler(0),
  mirostat: sampler(0),
  mirostat_mode: sampler(0),
  dynatemp_range: sampler(0),
  dynamic_temperature: sampler(false),
  xtc_probability: sampler(0),
  dry_multiplier: sampler(0),
  smoothing_factor: sampler(0),
  penalty_alpha: sampler(0),
  epsilon_cutoff: sampler(0),
  eta_cutoff: sampler(0),
  samplers: sampler([]),
  sampler_order: sampler([]),
  sampler_priority: sampler([]),
  temperature_last: sampler(false),
  guidance_scale: sampler(1),
  negative_prompt: sampler(''),
  repeat_last_n: never('The penalty applies to the whole context: omit it.', 64, -1),
  penalize_nl: penalty(false),
  rep_pen: never('Use repetition_penalty.', 1),
  encoder_repetition_penalty: penalty(1),
  no_repeat_ngram_size: penalty(0),
  length_penalty: beams(1),
  use_beam_search: beams(false),
  num_beams: beams(1),
  early_stopping: beams(false),
  bad_words: never('Use logit_bias.', []),
  banned_strings: never('Use logit_bias.', []),
  custom_token_bans: never('Use logit_bias.', ''),
  allowed_token_ids: never('Use logit_bias.', []),
  logits_processors: never('Use logit_bias.', []),
  sampler_seed: never('Use seed.', -1),
}

/** Parameters for where an answer begins and ends, and for the parts of it that are returned. */
const ofBounds: UnsupportedParameters = {
  min_tokens: never('Omit it.', 0),
  min_length: never('Omit it.', 0),
  num_predict: never('Use max_tokens.', -1),
  max_length: never('Use max_tokens, which counts only the answer.'),
  n_indent: never('Omit it.', 0),
  t_max_predict_ms: never('Close the connection to stop an answer.', 0, -1),
  ban_eos_token: never('Use ignore_eos.', false),
  stop_token_ids: never('Use stop with the texts of the tokens.', []),
  include_stop_str_in_output: never('Stop texts are never part of the answer.', false),
  skip_special_tokens: never('Control tokens are never part of the answer.', true),
  spaces_between_special_tokens: never('Control tokens are never part of the answer.', true),
  truncate_prompt_tokens: never('Shorten the prompt.'),
  truncate: never('Shorten the prompt.'),
  prompt_logprobs: never('Use /v1/completions with echo and logprobs.'),
  n_probs: never('Use logprobs.', 0),
  top_n_tokens: never('Use logprobs.', 0),
  post_sampling_probs: never('Log probabilities are those of the model before sampling: omit it.', false),
  return_tokens: answerShape(false),
  return_token_ids: answerShape(false),
  return_tokens_as_token_ids: answerShape(false),
  return_full_text: answerShape(false),
  response_fields: answerShape([]),
  details: answerShape(false),
  decoder_input_details: answerShape(false),
  detokenize: answerShape(true),
  watermark: never('Omit it.', false),
}

/** Parameters that change the model itself or what it reads. */
const ofOtherServers: UnsupportedParameters = {
  lora: never('Serve the adapter as a separate model.', []),
  adapter_id: never('Serve the adapter as a separate model.'),
  chat_template: never('The model has its own template; set its variables with chat_template_kwargs.'),
  chat_format: never('The model has its own template; set its variables with chat_template_kwargs.'),
  documents: never('Put the documents into the messages.', []),
  image_data: never('Models of this server accept only text.', []),
  multimodal_data: never('Models of this server accept only text.', []),
  prompt_embeds: never('Send text or token ids.'),
  vllm_xargs: never('Omit it.', {}),
  options: never('Send its fields at the top level; num_predict is max_tokens.', {}),
  plugins: never('Plugins are not supported.', []),
  safe_prompt: never('Put it into the system message.', false),
  prompt_mode: thoughts(),
  think: thoughts(),
  enable_thinking: thoughts(),
  reasoning: thoughts({}),
  reasoning_budget: thoughts(-1),
  thinking_budget_tokens: thoughts(-1),
  thinking_token_budget: thoughts(-1),
  thinking: thoughts(),
  include_reasoning: never('Ignore reasoning_content.', true),
  reasoning_in_content: never('Use reasoning_format "none".', false),
  thinking_forced_open: never('Use reasoning_format.', false),
  parse_tool_calls: never('Omit tools.', true),
}

const ofAll: UnsupportedParameters = { ...ofForms, ...ofSamplers, ...ofBounds, ...ofOtherServers }

export const unsupportedChatParameters: UnsupportedParameters = {
  ...ofAll,
  functions: never('Use tools.', []),
  function_call: never('Use tool_choice.'),
  modalities: never('Models of this server write only text.', ['text']),
  audio: never('Models of this server write only text.'),
  web_search_options: never('Search in the client and put the results into the messages, or offer a tool.'),
  verbosity: never('State the length of the answer in the messages.', 'medium'),
  moderation: never('Check messages and answers in the client.'),
  echo: never('Use continue_final_message to continue a text.', false),
  best_of: never('Use n.', 1),
  suffix: never('Use the messages.', ''),
  prompt: never('Use /v1/completions, or put the text into messages.'),
  add_special_tokens: never('The model’s template sets the special tokens.', false),
}

export const unsupportedCompletionParameters: UnsupportedParameters = {
  ...ofAll,
  suffix: never('Models of this server only continue a text. Put the text before it into prompt.', ''),
  response_format: never('Use /v1/chat/completions.', { type: 'text' }),
  tools: never('Use /v1/chat/completions.', []),
  tool_choice: never('Use /v1/chat/completions.', 'none', 'auto'),
  messages: never('Use /v1/chat/completions.'),
  add_special_tokens: never('Send token ids to set every token.', true),
  add_bos_token: never('Send token ids to set every token.', true),
}

export const unsupportedEmbeddingParameters: UnsupportedParameters = {
  truncate_prompt_tokens: never('Shorten the input.'),
  truncate: never('Shorten the input.'),
  add_special_tokens: never('Send token ids to set every token.', true),
  embd_normalize: never('Vectors have length 1.', 2),
  normalize: never('Vectors have length 1.', true),
  input_type: never('Put the prefix that the model expects into the input.'),
  content: never('Use input.'),
  messages: never('Use input.'),
  task: never('Put the prefix that the model expects into the input.'),
}

export const unsupportedTokenizeParameters: UnsupportedParameters = {
  chat_template: never('The model has its own template; set its variables with chat_template_kwargs.'),
  parse_special: never('Control tokens in prompt are always parsed.', true),
  with_pieces: never('Use return_token_strs.', false),
}
