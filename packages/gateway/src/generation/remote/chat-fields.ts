import type { ChatRequest, RequestMessage } from '@petals-chat/api'
import type { ChatMessage } from '@petals-chat/engine'
import { toToolDefinitions } from '../request/answer-form.ts'
import { asksToContinue, toChatMessage } from '../request/chat-prompt.ts'
import { wantedCalls } from '../request/tool-choice.ts'

type MessagesRequest = Pick<ChatRequest, 'messages' | 'continue_final_message' | 'add_generation_prompt'>
type ToolsRequest = Pick<ChatRequest, 'tools' | 'tool_choice' | 'parallel_tool_calls'>

/** The messages of a request in the one form that every server knows. */
export function messageFields(request: MessagesRequest): Readonly<Record<string, unknown>> {
  const messages = request.messages.map((message, index) => ({
    ...toMessage(toChatMessage(message, index)),
    ...thoughtsOf(message),
  }))
  if (!asksToContinue(request)) return { messages }
  return { messages, continue_final_message: true, add_generation_prompt: false }
}

/** Some models that thought before a call refuse its result without their thoughts. */
function thoughtsOf(message: RequestMessage): { readonly reasoning_content?: string } {
  if (message.role !== 'assistant' || !message.tool_calls?.length) return {}
  const thoughts = message.reasoning_content ?? message.reasoning
  return typeof thoughts === 'string' && thoughts !== '' ? { reasoning_content: thoughts } : {}
}

function toMessage({ role, content, name, toolCalls, toolCallId }: ChatMessage) {
  const calls = toolCalls?.map(({ id, name, arguments: text }) => ({
    id,
    type: 'function',
    function: { name, arguments: text },
  }))
  return {
    role,
    content: content === '' && calls?.length ? null : content,
    ...(name !== undefined && { name }),
    ...(calls?.length && { tool_calls: calls }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
  }
}

/** The functions that the model may call, and whether it has to. */
export interface RemoteTools {
  readonly fields: Readonly<Record<string, unknown>>
  readonly forced: boolean
}

/**
 * `tool_choice` has many notations; other servers know OpenAI's, which knows no `parallel_tool_calls` without functions.
 * @throws InvalidRequestError
 */
export function toolFields({
  tools,
  tool_choice: choice,
  parallel_tool_calls: isParallel,
}: ToolsRequest): RemoteTools {
  if (!tools?.length) return { fields: {}, forced: false }
  const { mode, names, isSingle } = wantedCalls(choice)
  const allowed = toToolDefinitions(tools)
    .filter(({ name }) => names?.includes(name) ?? true)
    .map(({ name, description, parameters, strict }) => ({
      type: 'function',
      function: { name, description, parameters, ...(strict !== undefined && { strict }) },
    }))
  if (mode === 'none' || allowed.length === 0) return { fields: {}, forced: false }
  const wanted = isSingle ? { type: 'function', function: { name: names?.[0] } } : mode
  const parallel = isParallel == null ? {} : { parallel_tool_calls: isParallel }
  return { fields: { tools: allowed, tool_choice: wanted, ...parallel }, forced: mode === 'required' }
}

/** `logprobs` may be a number, which is how many others are wanted beside each token. */
export function logprobFields({
  logprobs,
  top_logprobs: top,
}: ChatRequest): Readonly<Record<string, unknown>> {
  if (!logprobs) return {}
  return { logprobs: true, top_logprobs: top ?? (typeof logprobs === 'number' ? logprobs : 0) }
}

/** What a model reads of a request: its messages and functions. @throws InvalidRequestError */
export const chatInput = (request: MessagesRequest & ToolsRequest): Readonly<Record<string, unknown>> => ({
  ...messageFields(request),
  ...toolFields(request).fields,
})
