import type { ChatRequest, ChatRequestMessage, RequestTool } from '../api/chat-request.ts'
import { splitReasoning } from './reasoning.ts'
import { resultText, stopCalls, toRequestCall, type ToolRound } from './tool-calls.ts'
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
  readonly tools?: OfferedTools | undefined
}

/** The tools for a request. */
export interface OfferedTools {
  readonly definitions: readonly RequestTool[]
  /** The model has called tools as often as it may. */
  readonly exhausted: boolean
  /** The model can’t call tools: it sees earlier answers without their calls. */
  readonly unsupported: boolean
}

/** Builds the request for the next answer of a chat. */
export function buildRequest({
  model,
  settings,
  path,
  defaultSystemPrompt,
  continueLast,
  tools,
}: PromptOptions): ChatRequest {
  const system = settings.systemPrompt ?? defaultSystemPrompt ?? ''
  const messages: ChatRequestMessage[] = system.trim() ? [{ role: 'system', content: system }] : []
  for (const [index, message] of path.entries()) {
    const isContinued = continueLast === true && index === path.length - 1
    const withCalls = hasCalls(message) && !tools?.unsupported
    if (withCalls) messages.push(...callTurns(message))
    const text = withCalls ? lastText(message) : messageText(message)
    const isCut = withCalls && text === '' && index < path.length - 1
    const content = isContinued ? answerSoFar(message) : isCut ? UNFINISHED : text
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
    ...(tools && tools.definitions.length > 0 ? { tools: tools.definitions } : {}),
    ...(tools && tools.definitions.length > 0 && tools.exhausted ? { tool_choice: 'none' } : {}),
    ...(continueLast ? { continue_final_message: true, add_generation_prompt: false } : {}),
  }
}

/** What stands in a prompt for the words of an answer that ended with its calls. */
const UNFINISHED = '(This answer was not finished.)'

function hasCalls({ rounds = [], calls = [] }: Message): boolean {
  return rounds.length > 0 || stopCalls(calls).length > 0
}

/** Returns the parts of an answer that ended with calls, and the results of these. */
function callTurns({ content, rounds = [], calls = [] }: Message): readonly ChatRequestMessage[] {
  const open = stopCalls(calls)
  return [...rounds, ...(open.length > 0 ? [{ content, calls: open }] : [])].flatMap(roundTurns)
}

function roundTurns({ content, reasoning, calls }: ToolRound): readonly ChatRequestMessage[] {
  const answer: ChatRequestMessage = {
    role: 'assistant',
    content: splitReasoning(content).answer,
    ...(reasoning && { reasoning_content: reasoning }),
    tool_calls: calls.map(toRequestCall),
  }
  const results = calls.map((call): ChatRequestMessage => ({
    role: 'tool',
    content: resultText(call),
    tool_call_id: call.id,
  }))
  return [answer, ...results]
}

/** Returns the text of a message after its last calls. */
function lastText(message: Message): string {
  return stopCalls(message.calls ?? []).length > 0 ? '' : splitReasoning(message.content).answer
}

/**
 * Returns the text of a message: without reasoning and calls, with named, fenced attachments in front. The parts of an
 * answer around calls become paragraphs.
 */
export function messageText(message: Pick<Message, 'role' | 'content' | 'attachments' | 'rounds'>): string {
  if (message.role === 'assistant') {
    const { answer } = splitReasoning(message.content)
    const before = (message.rounds ?? []).map(({ content }) => splitReasoning(content).answer.trim())
    return [...before, answer].filter((part) => part !== '').join('\n\n')
  }
  const attachments = (message.attachments ?? []).map(attachmentText)
  return [...attachments, message.content].filter((part) => part !== '').join('\n\n')
}

/** Returns an answer that is to be continued as the model wrote it, with its thoughts. */
function answerSoFar({ content, reasoning }: Message): string {
  return reasoning ? `<think>\n${reasoning.trim()}\n</think>\n\n${content}` : content
}

function attachmentText({ name, text }: Attachment): string {
  return `File: ${name}\n${fenced(text)}`
}

/** Puts a text into a fence that is longer than any in it, so that the text can't close it. */
export function fenced(text: string): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`{3,}/g), (match) => match[0].length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}\n${text.replace(/\n$/, '')}\n${fence}`
}

/** Each result belongs to one call, and each call to the turn before its result. */
function canMerge({ role, tool_calls }: ChatRequestMessage): boolean {
  return role !== 'tool' && tool_calls === undefined
}

/** Templates require alternating turns: two user turns in a row (the answer between them failed) become one. */
function mergeTurns(messages: readonly ChatRequestMessage[]): readonly ChatRequestMessage[] {
  const merged: ChatRequestMessage[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    if (last && last.role === message.role && canMerge(last) && canMerge(message))
      merged[merged.length - 1] = { ...last, content: `${last.content}\n\n${message.content}` }
    else merged.push(message)
  }
  return merged
}
