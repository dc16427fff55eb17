import { messageText } from './prompt.ts'
import { splitReasoning } from './reasoning.ts'
import type { Chat, Message } from './types.ts'

/** Words around the messages, in the reader's language. */
export interface MarkdownWords {
  readonly you: string
  readonly untitledChat: string
  readonly thoughts: string
  readonly systemPrompt: string
}

/** The shown branch of a chat as a Markdown document, to keep or to share. */
export function chatToMarkdown(chat: Chat, path: readonly Message[], words: MarkdownWords): string {
  const system = chat.settings.systemPrompt?.trim()
  return [
    `# ${chat.title || words.untitledChat}`,
    ...(system ? [`> ${words.systemPrompt}: ${system.replaceAll('\n', '\n> ')}`] : []),
    ...path.flatMap((message) => messageBlocks(message, words)),
    '',
  ].join('\n\n')
}

function messageBlocks(message: Message, words: MarkdownWords): readonly string[] {
  const speaker = message.role === 'user' ? words.you : (message.model ?? 'Assistant')
  const { reasoning } = splitReasoning(message.content, message.reasoning)
  const thoughts =
    message.role === 'assistant' && reasoning ? [quoted(`${words.thoughts}\n\n${reasoning}`)] : []
  const text = messageText(message)
  return [`## ${speaker}`, ...thoughts, ...(text ? [text] : [])]
}

function quoted(text: string): string {
  return text
    .split('\n')
    .map((line) => `> ${line}`.trimEnd())
    .join('\n')
}

/** A file name of a title: no characters that any system refuses, not too long. */
export function fileNameOf(title: string): string {
  const safe = title
    .replaceAll(/[\p{Cc}\\/:*?"<>|]+/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .replace(/^[. ]+|[. ]+$/g, '')
  return Array.from(safe).slice(0, 80).join('').trim() || 'chat'
}
