import type { ChatMessage, ToolCall, ToolDefinition } from './chat-template.ts'
import { markValue, type MarkLiteral } from './literal-text.ts'

/** Returns the message in the shape that `transformers` passes to templates. */
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

/** Marks the parsed arguments, too: in JSON text, an escape can hide a control token. */
function toJinjaCall({ id, name, arguments: text }: ToolCall, mark: MarkLiteral): object {
  return { id, type: 'function', function: { name, arguments: markValue(parsedArguments(text), mark) } }
}

/** Templates expect an object, but the text of a model may be anything. */
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
