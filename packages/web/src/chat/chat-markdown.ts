import { messageText } from './prompt.ts'
import { splitReasoning } from './reasoning.ts'
import type { Chat, Message } from './types.ts'

/** The texts around the messages, in the reader's language. */
export interface MarkdownWords {
  readonly you: string
  readonly untitledChat: string
  readonly thoughts: string
  readonly systemPrompt: string
}

/** Renders the shown branch of a chat as a Markdown document. */
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

/** Makes a short file name of a title, without characters that an operating system refuses. */
export function fileNameOf(title: string): string {
  const safe = title
    .replaceAll(/[\p{Cc}\\/:*?"<>|]+/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .replace(/^[. ]+|[. ]+$/g, '')
  return Array.from(safe).slice(0, 80).join('').trim() || 'chat'
}
