import type {
  ChatRequest,
  OllamaChatRequest,
  OllamaFormat,
  OllamaGenerateRequest,
  OllamaOptions,
  OllamaThink,
  ResponseFormat,
} from '@petals-chat/api'
import type { FieldNames } from '../../generation/request/field-names.ts'
import { toMessages } from './to-messages.ts'

/** What the fields of a chat request are called here, for its errors. */
export const ollamaNames: FieldNames = [
  [/\bresponse_format(\.json_schema\.schema)?\b/g, 'format'],
  [/\bmax_tokens\b/g, 'options.num_predict'],
  [/\bcontinue_final_message\b/g, 'messages'],
]

/** Writes a request of `/api/chat` as a chat request with the same meaning. */
export const toChatRequest = (request: OllamaChatRequest, model: string | undefined): ChatRequest => ({
  ...commonFields(request, model),
  messages: toMessages(request.messages ?? []),
  tools: request.tools?.map(({ function: { type: _type, ...definition } }) => ({
    type: 'function',
    function: definition,
  })),
})

/** Writes a request of `/api/generate` without `raw` as a chat request with the same meaning. */
export const promptAsChat = (request: OllamaGenerateRequest, model: string | undefined): ChatRequest => ({
  ...commonFields(request, model),
  messages: [
    ...(request.system ? [{ role: 'system' as const, content: request.system }] : []),
    { role: 'user', content: request.prompt ?? '' },
  ],
})

/** The fields that both calls have. */
export function commonFields(request: OllamaChatRequest | OllamaGenerateRequest, model: string | undefined) {
  const { format, options, think, stream, logprobs, top_logprobs: top } = request
  return {
    model,
    ...sampling(options),
    response_format: responseFormat(format),
    ...thinking(think),
    stream: stream ?? true,
    logprobs,
    top_logprobs: top,
  }
}

/** The options in the names of a chat request. */
export const sampling = (options: OllamaOptions | null | undefined) => ({
  max_tokens: options?.num_predict === 0 ? -1 : options?.num_predict,
  temperature: options?.temperature,
  top_p: options?.top_p,
  top_k: options?.top_k,
  min_p: options?.min_p,
  repeat_penalty: options?.repeat_penalty,
  presence_penalty: options?.presence_penalty,
  frequency_penalty: options?.frequency_penalty,
  seed: options?.seed,
  stop: options?.stop,
})

function responseFormat(format: OllamaFormat): ResponseFormat | undefined {
  if (format == null || format === '') return undefined
  if (format === 'json') return { type: 'json_object' }
  return { type: 'json_schema', json_schema: { name: 'answer', schema: format as Record<string, unknown> } }
}

/** Templates know the choice as `enable_thinking`, and how much as `reasoning_effort`. */
const thinking = (think: OllamaThink): Partial<ChatRequest> =>
  think == null
    ? {}
    : {
        chat_template_kwargs: { enable_thinking: think !== false },
        ...(typeof think === 'string' && { reasoning_effort: think }),
      }
