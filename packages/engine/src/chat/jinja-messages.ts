import type { ChatMessage, ToolDefinition } from './chat-template.ts'

/** The message in the shape that `transformers` hands to templates. */
export function toJinjaMessage({ role, content, name, toolCallId, toolCalls }: ChatMessage): object {
  return {
    role,
    content,
    ...(name !== undefined && { name }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(toolCalls?.length && {
      tool_calls: toolCalls.map((call) => ({
        id: call.id,
        type: 'function',
        function: { name: call.name, arguments: parsedArguments(call.arguments) },
      })),
    }),
  }
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
