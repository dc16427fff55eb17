import {
  estimateTokens,
  type ModelSpec,
  type RemoteModel,
  ContextLengthError,
  isGreedy,
} from '@petals-chat/engine'
import type { ChatRequest, CompletionRequest } from '@petals-chat/api'
import { askedLength } from '../request/limits.ts'
import { toStop } from '../request/choices.ts'
import type { Passed } from '../request/parse-request.ts'
import { isNewSeed } from '../request/sampling.ts'

/** A checked request, with the fields that only the other server knows. */
export type RemoteRequestOf<Request> = Request & Passed

/** What this server does itself, or writes in its own way. */
type OwnField =
  | 'model'
  | 'messages'
  | 'prompt'
  | 'n'
  | 'best_of'
  | 'stop'
  | 'seed'
  | 'random_seed'
  | 'stream'
  | 'stream_options'
  | 'petals'
  | 'resumable'
  | 'max_tokens'
  | 'max_completion_tokens'
  | 'max_new_tokens'
  | 'n_predict'
  | 'tools'
  | 'tool_choice'
  | 'parallel_tool_calls'
  | 'logprobs'
  | 'top_logprobs'

const ownFields: Readonly<Record<OwnField | keyof Passed, true>> = {
  model: true,
  messages: true,
  prompt: true,
  n: true,
  best_of: true,
  stop: true,
  seed: true,
  random_seed: true,
  stream: true,
  stream_options: true,
  petals: true,
  resumable: true,
  max_tokens: true,
  max_completion_tokens: true,
  max_new_tokens: true,
  n_predict: true,
  tools: true,
  tool_choice: true,
  parallel_tool_calls: true,
  logprobs: true,
  top_logprobs: true,
  passed: true,
}

/** The fields of both APIs: the model's own defaults, what the request says, and what only the other server knows. */
export function commonFields(
  request: RemoteRequestOf<ChatRequest | CompletionRequest>,
  { generation }: Pick<ModelSpec, 'generation'>,
): Readonly<Record<string, unknown>> {
  const stop = toStop(request.stop)
  const said = Object.entries(request).filter(
    ([name, value]) => value != null && !Object.hasOwn(ownFields, name),
  )
  return {
    ...defaultsOf(generation),
    ...Object.fromEntries(said),
    ...(stop.length > 0 && { stop }),
    ...request.passed?.fields,
  }
}

/** The sampling that the configuration sets; what it leaves out is the other server's choice. */
function defaultsOf({ do_sample, max_new_tokens: _, ...sampling }: ModelSpec['generation']) {
  const defaults = Object.entries(sampling).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(defaults), ...(isGreedy({ do_sample }) && { temperature: 0 }) }
}

/** Gives each choice another seed, because equal seeds give equal answers. */
export function seedField(
  { seed, random_seed: other }: Pick<ChatRequest, 'seed' | 'random_seed'>,
  choice: number,
): { readonly seed?: number } {
  const first = seed ?? other
  if (first == null) return {}
  return { seed: isNewSeed(first) ? first : first + choice }
}

/** The answers' greatest length if neither the request nor the configuration sets one. */
const USUAL_LENGTH = 2048

export interface RemoteLength {
  /** An estimate: the tokenizer is elsewhere. */
  readonly promptTokens: number
  readonly maxNewTokens: number
  /** The field that says so, named as in the request; none if the end of the context is the limit. */
  readonly field: Readonly<Record<string, number>>
}

/** No text has longer tokens on average: what has more characters can't fit. */
export const MAX_CHARACTERS_PER_TOKEN = 8

/** Tokens that a chat template may add. */
const TEMPLATE_TOKENS = 64

/**
 * The length that the other server is asked for. Its tokens can only be estimated here, and servers refuse a length that
 * exceeds their context by one. So a length that may not fit is left out, and the server's context ends the answer; except
 * one that the request asks for and that fits by the estimate.
 * @throws ContextLengthError if the prompt can't fit, however few tokens it has
 */
export function remoteLength(
  request: ChatRequest | CompletionRequest,
  text: string,
  {
    spec,
    model,
    unasked = USUAL_LENGTH,
  }: { readonly spec: ModelSpec; readonly model: RemoteModel; readonly unasked?: number },
): RemoteLength {
  const promptTokens = Math.max(estimateTokens(text), 1)
  const maximum = Math.min(model.contextLength ?? Infinity, spec.maxSessionLength ?? Infinity)
  if (text.length / MAX_CHARACTERS_PER_TOKEN >= maximum) throw tooLong(promptTokens, maximum)
  const asked = askedLength(request) ?? spec.generation.max_new_tokens
  const wanted = asked === Infinity ? USUAL_LENGTH : (asked ?? unasked)
  const room = asked === undefined || asked === Infinity ? maximum - mostTokens(text) : maximum - promptTokens
  const maxNewTokens = Math.min(wanted, Math.max(maximum - promptTokens, 1))
  const name = request.max_completion_tokens == null ? 'max_tokens' : 'max_completion_tokens'
  return { promptTokens, maxNewTokens, field: wanted <= room ? { [name]: wanted } : {} }
}

/** More tokens than a text usually has in any language. */
const mostTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 2) + TEMPLATE_TOKENS

const tooLong = (prompt: number, maximum: number): ContextLengthError =>
  new ContextLengthError(
    prompt + 1,
    maximum,
    `This model's maximum context length is ${maximum} tokens. However, your prompt has about ${prompt} tokens, which ` +
      'leaves no space for an answer. Please shorten the prompt.',
  )
