import type { OllamaMessage, RequestMessage } from '@petals-chat/api'

/** A call that no message has answered yet. */
interface OpenCall {
  readonly id: string
  readonly name: string
}

/**
 * Writes messages in OpenAI's form. Clients of Ollama may leave out the ids of calls: then calls are counted, and a result
 * belongs to the first open call of its function.
 */
export function toMessages(messages: readonly OllamaMessage[]): RequestMessage[] {
  const open: OpenCall[] = []
  let count = 0
  return messages.map((message): RequestMessage => {
    const { role, tool_calls: calls } = message
    const content = message.content ?? ''
    if (role === 'system' || role === 'user') return { role, content }
    if (role === 'tool') return resultMessage(message, content, open)
    if (!calls?.length) return { role, content }
    const named = calls.map(({ id, function: { name, arguments: input } }) => ({
      // Nine digits: templates of Mistral take no other ids. The same dialogue always gets the same ones.
      id: id ?? String(++count).padStart(9, '0'),
      type: 'function' as const,
      function: { name, arguments: JSON.stringify(input ?? {}) },
    }))
    open.push(...named.map(({ id, function: { name } }) => ({ id, name })))
    return { role, content, tool_calls: named }
  })
}

function resultMessage(
  { tool_name: name, tool_call_id: id }: OllamaMessage,
  content: string,
  open: OpenCall[],
): RequestMessage {
  const places = [
    open.findIndex((call) => call.id === id),
    open.findIndex((call) => call.name === name),
    open.length > 0 ? 0 : -1,
  ]
  const place = places.find((each) => each !== -1)
  const [call] = place === undefined ? [] : open.splice(place, 1)
  return { role: 'tool', tool_call_id: id ?? call?.id ?? '000000000', name: name ?? call?.name, content }
}
