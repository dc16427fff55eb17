import { isRemoteModel } from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import type { PassOn } from '../../generation/request/parse-request.ts'
import { callerOf, resolveModel } from '../../generation/request/resolve-model.ts'
import type { EventContext } from '../../generation/stream/stream-options.ts'

/**
 * Fields that the engines of this server don't know, and that servers behind it may: how tokens are chosen, where an answer
 * begins and ends, how long the model thinks. What reaches beyond the answer (addresses, adapters, templates, priorities,
 * other parts of the response) is never passed on.
 */
const ofBoth = [
  ...['do_sample', 'typical_p', 'typ_p', 'tfs_z', 'top_a', 'top_n_sigma', 'min_keep', 'mirostat'],
  ...['mirostat_mode', 'mirostat_tau', 'mirostat_eta', 'dynatemp_range', 'dynatemp_exponent'],
  ...['xtc_probability', 'xtc_threshold', 'dry_multiplier', 'dry_base', 'dry_allowed_length'],
  ...['dry_penalty_last_n', 'dry_sequence_breakers', 'smoothing_factor', 'samplers', 'repeat_last_n'],
  ...['no_repeat_ngram_size', 'length_penalty', 'use_beam_search', 'early_stopping', 'bad_words'],
  ...['allowed_token_ids', 'guided_whitespace_pattern', 'min_tokens', 'stop_token_ids', 't_max_predict_ms'],
  ...['include_stop_str_in_output', 'skip_special_tokens', 'spaces_between_special_tokens'],
  ...['truncate_prompt_tokens', 'think', 'enable_thinking', 'reasoning', 'reasoning_budget'],
  ...['thinking_budget_tokens', 'thinking_token_budget', 'prediction', 'prompt_cache_key'],
] as const

export const passedChatParameters: ReadonlySet<string> = new Set([
  ...ofBoth,
  ...['verbosity', 'prompt_mode', 'safe_prompt', 'thinking', 'include_reasoning'],
])

export const passedCompletionParameters: ReadonlySet<string> = new Set([
  ...ofBoth,
  'suffix',
  'add_special_tokens',
])

/** Passes `names` on, if the request's model is one that another server runs. */
export const passedOn =
  (context: GatewayContext, c: EventContext, names: ReadonlySet<string>): PassOn =>
  ({ model }) => {
    const spec = found(() => resolveModel(context, model, callerOf(c)))
    const served = spec && context.registry.peek(spec.id)
    return served !== undefined && isRemoteModel(served) ? names : none
  }

const none: ReadonlySet<string> = new Set()

/** A model that there is not is reported when the request has been read. */
function found<Result>(find: () => Result): Result | undefined {
  try {
    return find()
  } catch {
    return undefined
  }
}
