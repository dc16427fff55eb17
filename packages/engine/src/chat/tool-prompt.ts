import type { ChatMessage, ToolCall, ToolDefinition } from './chat-template.ts'

/** Returns calls as Hermes and Qwen write them: most models trained for tools know this form, and others can read it. */
export function toolCallText(calls: readonly ToolCall[]): string {
  return calls
    .map(
      ({ name, arguments: args }) =>
        `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": ${args || '{}'}}\n</tool_call>`,
    )
    .join('\n')
}

/**
 * Returns the dialogue for a template that does not support tools: the system message describes them, and calls and their
 * results become text.
 */
export function withToolsAsText(
  messages: readonly ChatMessage[],
  tools: readonly ToolDefinition[] | undefined,
): readonly ChatMessage[] {
  const plain = messages.map(toolTurnAsText)
  if (!tools?.length) return plain
  const [first, ...rest] = plain
  const instructions = describeTools(tools)
  return first?.role === 'system'
    ? [{ ...first, content: `${first.content}\n\n${instructions}` }, ...rest]
    : [{ role: 'system', content: instructions }, ...plain]
}

function toolTurnAsText(message: ChatMessage): ChatMessage {
  if (message.role === 'tool') {
    return { role: 'user', content: `<tool_response>\n${message.content}\n</tool_response>` }
  }
  if (!message.toolCalls?.length) return message
  const content = [message.content, toolCallText(message.toolCalls)].filter((part) => part !== '').join('\n')
  return { role: message.role, content }
}

function describeTools(tools: readonly ToolDefinition[]): string {
  const functions = tools.map(({ name, description, parameters }) =>
    JSON.stringify({ name, description, parameters }),
  )
  return [
    'You can call these functions, given as JSON with the JSON schema of their arguments:',
    ...functions,
    'To call one, answer with nothing but: <tool_call>\n{"name": <its name>, "arguments": <a JSON object>}\n</tool_call>',
    'The result comes in <tool_response></tool_response>. If no function is needed, answer in words.',
  ].join('\n')
}
