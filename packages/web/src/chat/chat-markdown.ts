import { fenced, messageText } from './prompt.ts'
import { splitReasoning } from './reasoning.ts'
import { argumentsText, resultText, type ToolCall, type ToolRound } from './tool-calls.ts'
import type { Chat, Message } from './types.ts'

/** The texts around the messages, in the reader's language. */
export interface MarkdownWords {
  readonly you: string
  readonly untitledChat: string
  readonly thoughts: string
  readonly systemPrompt: string
  readonly toolResult: string
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
  if (message.role === 'user') return [`## ${speaker}`, ...nonEmpty(messageText(message))]
  const { content, reasoning, rounds = [], calls = [] } = message
  const parts = [...rounds, { content, reasoning, calls }]
  return [`## ${speaker}`, ...parts.flatMap((part) => partBlocks(part, words))]
}

function partBlocks({ content, reasoning, calls }: ToolRound, words: MarkdownWords): readonly string[] {
  const { reasoning: thoughts, answer } = splitReasoning(content, reasoning)
  return [
    ...(thoughts ? [quoted(`${words.thoughts}\n\n${thoughts}`)] : []),
    ...nonEmpty(answer),
    ...calls.map((call) => callBlock(call, words)),
  ]
}

/** A call with its arguments and its result, which are text and no markup. */
function callBlock(call: ToolCall, words: MarkdownWords): string {
  const { title, name, server } = call
  return quoted(
    [
      [title ?? name, server].filter(Boolean).join(', '),
      fenced(argumentsText(call)),
      words.toolResult,
      fenced(resultText(call)),
    ].join('\n\n'),
  )
}

function nonEmpty(text: string): readonly string[] {
  return text ? [text] : []
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
