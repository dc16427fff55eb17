import type { ChatMessage } from './chat-template.ts'

/** Opens a dialogue whose first turn is an answer, for templates that require the user to begin. */
const opening: ChatMessage = { role: 'user', content: 'Hello.' }

/**
 * Returns the dialogue for a template that demands alternating turns after at most one system message: adjacent turns of
 * the same role become one, a later system message becomes part of a user turn, and a dialogue that begins with an answer
 * gets a user turn before it. No text is lost.
 */
export function withAlternatingTurns(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const ordered = mergeNeighbours(withSystemFirst(messages))
  const first = ordered.findIndex(({ role }) => role !== 'system')
  if (ordered[first]?.role !== 'assistant') return ordered
  return [...ordered.slice(0, first), opening, ...ordered.slice(first)]
}

/** Turns system messages after the first turn into user turns. */
export function withSystemFirst(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const start = messages.findIndex(({ role }) => role !== 'system')
  if (start === -1) return messages
  return messages.map((message, index) =>
    message.role === 'system' && index > start ? { ...message, role: 'user' } : message,
  )
}

function mergeNeighbours(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const merged: ChatMessage[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    // Each `tool` turn answers a different call.
    if (last?.role === message.role && message.role !== 'tool')
      merged[merged.length - 1] = joined(last, message)
    else merged.push(message)
  }
  return merged
}

function joined(first: ChatMessage, second: ChatMessage): ChatMessage {
  const calls = [...(first.toolCalls ?? []), ...(second.toolCalls ?? [])]
  return {
    ...first,
    content: [first.content, second.content].filter((text) => text !== '').join('\n\n'),
    ...(calls.length > 0 && { toolCalls: calls }),
  }
}

/** Moves system messages to the beginning of the first user turn, for templates without a system role. */
export function withSystemInUserTurn(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const system = messages.filter(({ role }) => role === 'system')
  if (system.length === 0) return messages
  const others = messages.filter(({ role }) => role !== 'system')
  const instructions = system.map(({ content }) => content).join('\n\n')
  const first = others.findIndex(({ role }) => role === 'user')
  if (first === -1) return [{ role: 'user', content: instructions }, ...others]
  return others.map((message, index) =>
    index === first ? { ...message, content: `${instructions}\n\n${message.content}` } : message,
  )
}
