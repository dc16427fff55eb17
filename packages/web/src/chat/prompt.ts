import type { ChatRequest, ChatRequestMessage } from '../api/chat-request.ts'
import { splitReasoning } from './reasoning.ts'
import type { Attachment, ChatSettings, Message } from './types.ts'

export interface PromptOptions {
  readonly model: string
  readonly settings: ChatSettings
  /** The messages that the model is to see, first to last. */
  readonly path: readonly Message[]
  /** Used if the chat has no system prompt of its own. */
  readonly defaultSystemPrompt?: string | undefined
  /** Continue the last message, an answer that was cut. */
  readonly continueLast?: boolean
}

/** Builds the request for the next answer of a chat. */
export function buildRequest({
  model,
  settings,
  path,
  defaultSystemPrompt,
  continueLast,
}: PromptOptions): ChatRequest {
  const system = settings.systemPrompt ?? defaultSystemPrompt ?? ''
  const messages: ChatRequestMessage[] = system.trim() ? [{ role: 'system', content: system }] : []
  for (const [index, message] of path.entries()) {
    const isContinued = continueLast === true && index === path.length - 1
    const content = isContinued ? answerSoFar(message) : messageText(message)
    // An answer that failed before its first word is not a turn; templates refuse empty turns.
    if (content || message.role === 'user') messages.push({ role: message.role, content })
  }
  return {
    model,
    messages: mergeTurns(messages),
    temperature: settings.temperature,
    top_p: settings.topP,
    top_k: settings.topK,
    min_p: settings.minP,
    repetition_penalty: settings.repetitionPenalty,
    max_tokens: settings.maxTokens,
    seed: settings.seed,
    stop: settings.stop,
    ...(continueLast ? { continue_final_message: true, add_generation_prompt: false } : {}),
  }
}

/** Returns the text of a message for the model: without reasoning, with named, fenced attachments in front. */
export function messageText(message: Pick<Message, 'role' | 'content' | 'attachments'>): string {
  if (message.role === 'assistant') return splitReasoning(message.content).answer
  const attachments = (message.attachments ?? []).map(attachmentText)
  return [...attachments, message.content].filter((part) => part !== '').join('\n\n')
}

/** Returns an answer that is to be continued as the model wrote it, with its thoughts. */
function answerSoFar({ content, reasoning }: Message): string {
  return reasoning ? `<think>\n${reasoning.trim()}\n</think>\n\n${content}` : content
}

function attachmentText({ name, text }: Attachment): string {
  // The fence is longer than any in the text, so that the text can't close it.
  const longest = Math.max(2, ...Array.from(text.matchAll(/`{3,}/g), (match) => match[0].length))
  const fence = '`'.repeat(longest + 1)
  return `File: ${name}\n${fence}\n${text.replace(/\n$/, '')}\n${fence}`
}

/** Templates require alternating turns: two user turns in a row (the answer between them failed) become one. */
function mergeTurns(messages: readonly ChatRequestMessage[]): readonly ChatRequestMessage[] {
  const merged: ChatRequestMessage[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    if (last && last.role === message.role)
      merged[merged.length - 1] = { ...last, content: `${last.content}\n\n${message.content}` }
    else merged.push(message)
  }
  return merged
}
