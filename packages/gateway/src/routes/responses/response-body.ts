import type { ResponseBody, ResponseRequest, ResponseTool, ResponseUsage } from '@petals-chat/api'
import type { EndEvent } from '../../generation/answer/answer-job.ts'
import type { ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import type { ToolTable } from './tool-table.ts'

/** The id of the response that answers with a job. */
export const responseId = ({ head }: Pick<ChatJob, 'head'>): string => `resp_${head.id}`

/** The response before its first word. */
export function responseBegin(
  { head, work }: ChatJob,
  request: ResponseRequest,
  tools: ToolTable,
): ResponseBody {
  // Another server does not say what its defaults are.
  const sampling = work.kind === 'sessions' ? work.options.sampling : undefined
  return {
    id: responseId({ head }),
    object: 'response',
    created_at: head.created,
    completed_at: null,
    status: 'in_progress',
    background: request.background ?? false,
    error: null,
    frequency_penalty: sampling?.frequencyPenalty ?? request.frequency_penalty ?? 0,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: null,
    metadata: request.metadata ?? {},
    model: head.model,
    output: [],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    presence_penalty: sampling?.presencePenalty ?? request.presence_penalty ?? 0,
    previous_response_id: request.previous_response_id ?? null,
    prompt_cache_key: null,
    reasoning: { effort: request.reasoning?.effort ?? null, summary: null },
    safety_identifier: null,
    service_tier: 'default',
    store: request.store ?? true,
    temperature: sampling?.temperature ?? request.temperature ?? null,
    text: {
      format: request.text?.format ?? { type: 'text' },
      verbosity: request.text?.verbosity ?? 'medium',
    },
    tool_choice: request.tool_choice ?? 'auto',
    tools: tools.told.map(toldTool),
    top_logprobs: request.top_logprobs ?? 0,
    top_p: sampling ? (sampling.topP ?? 1) : (request.top_p ?? null),
    truncation: request.truncation ?? 'disabled',
    usage: null,
    user: null,
  }
}

/** Checkers of responses want every field of a function. */
const toldTool = (tool: ResponseTool): ResponseBody['tools'][number] =>
  tool.type === 'function' ? { description: null, parameters: null, strict: null, ...tool } : { ...tool }

type Cost = EndEvent<ChatTypes>['cost']

/** `reasoningTokens`: the part of the answer that is thoughts. */
export const responseUsage = ({ usage }: Cost, reasoningTokens: number): ResponseUsage => ({
  input_tokens: usage.promptTokens,
  input_tokens_details: { cached_tokens: usage.cachedTokens, cache_write_tokens: 0 },
  output_tokens: usage.completionTokens,
  output_tokens_details: { reasoning_tokens: Math.min(reasoningTokens, usage.completionTokens) },
  total_tokens: usage.promptTokens + usage.completionTokens,
})
