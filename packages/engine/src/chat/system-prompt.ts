import type { ChatMessage } from './chat-template.ts'

/** For templates without a system role: what it says begins the first user turn. */
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
