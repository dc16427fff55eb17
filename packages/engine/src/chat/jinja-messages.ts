import type { ChatMessage, ToolCall, ToolDefinition } from './chat-template.ts'
import { markValue, type MarkLiteral } from './literal-text.ts'

/** The message in the shape that `transformers` hands to templates. */
export function toJinjaMessage(message: ChatMessage, mark: MarkLiteral): object {
  const { role, content, name, toolCallId, toolCalls } = message
  return {
    role,
    content,
    ...(name !== undefined && { name }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(toolCalls?.length && { tool_calls: toolCalls.map((call) => toJinjaCall(call, mark)) }),
  }
}

/** Marks the arguments as values, too: in JSON text, an escape can hide a control token. */
function toJinjaCall({ id, name, arguments: text }: ToolCall, mark: MarkLiteral): object {
  return { id, type: 'function', function: { name, arguments: markValue(parsedArguments(text), mark) } }
}

/** Templates expect an object; what a model wrote may be anything. */
function parsedArguments(text: string): unknown {
  try {
    return JSON.parse(text || '{}')
  } catch {
    return text
  }
}

export function toJinjaTool({ name, description = '', parameters }: ToolDefinition): object {
  return {
    type: 'function',
    function: { name, description, parameters: parameters ?? { type: 'object', properties: {} } },
  }
}
