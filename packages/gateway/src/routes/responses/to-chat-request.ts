import type { ChatRequest, RequestMessage, ResponseRequest, ToolChoice } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import { wantedCalls } from '../../generation/request/tool-choice.ts'
import type { ToolTable } from './tool-table.ts'

/** What `include` asks for beside the answer, as far as it exists here. */
const LOGPROBS = 'message.output_text.logprobs'

/** Writes a request of the Responses API as a chat request with the same meaning. */
export function toChatRequest(
  request: ResponseRequest,
  messages: RequestMessage[],
  tools: ToolTable,
): ChatRequest {
  const { temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty, frequency_penalty, seed } =
    request
  const offered = [...tools.offered]
  const choice = toToolChoice(request.tool_choice, tools)
  if (offered.length === 0 && request.tools?.length && wantedCalls(choice).mode === 'required')
    throw noneToCall()
  return {
    model: request.model,
    messages,
    ...{ temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty, frequency_penalty, seed },
    max_completion_tokens: request.max_output_tokens,
    stream: request.stream,
    tools: offered.length > 0 ? offered : undefined,
    tool_choice: choice,
    parallel_tool_calls: request.parallel_tool_calls,
    response_format: toFormat(request.text?.format),
    reasoning_effort: request.reasoning?.effort,
    chat_template_kwargs: templateVariables(request),
    ...(wantsLogprobs(request) && { logprobs: true, top_logprobs: request.top_logprobs ?? 0 }),
  }
}

const noneToCall = (): InvalidRequestError =>
  new InvalidRequestError(
    "'tool_choice' demands a call, but none of the tools is one that the client runs: those of OpenAI are left out here. " +
      'Offer a function or a custom tool, or omit tool_choice.',
    { param: 'tool_choice', reason: 'invalid_value' },
  )

export const wantsLogprobs = ({ include, top_logprobs: top }: ResponseRequest): boolean =>
  (top ?? 0) > 0 || (include?.includes(LOGPROBS) ?? false)

function templateVariables({ reasoning, text, chat_template_kwargs: own }: ResponseRequest) {
  return {
    ...(reasoning?.effort === 'none' && { enable_thinking: false }),
    ...(text?.verbosity && { verbosity: text.verbosity }),
    ...own,
  }
}

function toToolChoice(choice: ResponseRequest['tool_choice'], tools: ToolTable): ToolChoice | undefined {
  if (choice == null) return undefined
  if (typeof choice === 'string') return choice
  const shown = (tool: { readonly name: string; readonly namespace?: string | null | undefined }) =>
    ({ type: 'function', name: tools.shownName(tool.name, tool.namespace) }) as const
  if (choice.type === 'mcp') return shown({ name: choice.name, namespace: choice.server_label })
  if (choice.type !== 'allowed_tools') return shown(choice)
  return { type: 'allowed_tools', allowed_tools: { mode: choice.mode, tools: choice.tools.map(shown) } }
}

function toFormat(format: NonNullable<ResponseRequest['text']>['format']): ChatRequest['response_format'] {
  if (format?.type !== 'json_schema') return format ?? undefined
  const { name, description, schema, strict } = format
  return { type: 'json_schema', json_schema: { name, description, schema, strict } }
}
