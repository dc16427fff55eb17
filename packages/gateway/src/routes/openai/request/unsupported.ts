import { InvalidRequestError } from '@petals-chat/engine'

/** A parameter that would change the answer and can't be honoured here. */
export interface UnsupportedParameter {
  /** Values that ask for nothing, besides null. */
  readonly off: readonly unknown[]
  /** What to do without it: ends the error message. */
  readonly instead: string
}

export type UnsupportedParameters = Readonly<Record<string, UnsupportedParameter>>

const never = (instead: string, ...off: readonly unknown[]): UnsupportedParameter => ({ off, instead })

const grammarField = never('Use response_format with a JSON schema.')
const sampler = (...off: readonly unknown[]) =>
  never('Use temperature, top_k, top_p, min_p and the penalties.', ...off)

/** Samplers and controls of other servers; ignoring them would give another answer than was asked for. */
const ofOtherServers: UnsupportedParameters = {
  grammar: grammarField,
  json_schema: grammarField,
  guided_json: grammarField,
  guided_regex: grammarField,
  guided_choice: grammarField,
  guided_grammar: grammarField,
  structured_outputs: grammarField,
  max_new_tokens: never('Use max_tokens.'),
  n_predict: never('Use max_tokens.', -1),
  min_tokens: never('Leave it out.', 0),
  stop_token_ids: never('Use stop with their texts.', []),
  include_stop_str_in_output: never('Stop texts are never part of the answer.', false),
  skip_special_tokens: never('Control tokens are never part of the answer.', true),
  repeat_penalty: never('Use repetition_penalty.', 1),
  length_penalty: never('Leave it out.', 1),
  use_beam_search: never('Leave it out.', false),
  bad_words: never('Use logit_bias.', []),
  typical_p: sampler(1),
  tfs_z: sampler(1),
  top_a: sampler(0),
  mirostat: sampler(0),
  dynatemp_range: sampler(0),
  xtc_probability: sampler(0),
  dry_multiplier: sampler(0),
  smoothing_factor: sampler(0),
  truncate_prompt_tokens: never('Shorten the prompt.'),
  prompt_logprobs: never('Use /v1/completions with echo and logprobs.'),
}

export const unsupportedChatParameters: UnsupportedParameters = {
  ...ofOtherServers,
  functions: never('Use tools.', []),
  function_call: never('Use tool_choice.'),
  modalities: never('Models of this server write text only.', ['text']),
  audio: never('Models of this server write text only.'),
  web_search_options: never('Search yourself and put the results into the messages, or offer a tool.'),
  verbosity: never('Say in the messages how long the answer should be.', 'medium'),
  moderation: never('Check messages and answers yourself.'),
  echo: never('Use continue_final_message to go on with a text.', false),
  best_of: never('Use n.', 1),
  suffix: never('Use the messages.', ''),
}

export const unsupportedCompletionParameters: UnsupportedParameters = {
  ...ofOtherServers,
  suffix: never('Models of this server only continue a text. Put what comes before into prompt.', ''),
  response_format: never('Use /v1/chat/completions.', { type: 'text' }),
  tools: never('Use /v1/chat/completions.', []),
}

/** @throws InvalidRequestError naming the first parameter of `body` that asks for something of the table. */
export function refuseUnsupported(body: object, table: UnsupportedParameters): void {
  for (const [param, { off, instead }] of Object.entries(table)) {
    const value = Object.hasOwn(body, param) ? (body as Record<string, unknown>)[param] : undefined
    if (value == null || off.some((harmless) => JSON.stringify(harmless) === JSON.stringify(value))) continue
    throw new InvalidRequestError(`Unsupported parameter: '${param}' is not supported here. ${instead}`, {
      param,
      reason: 'unsupported_parameter',
    })
  }
}
