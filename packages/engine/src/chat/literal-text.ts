import type { ChatMessage } from './chat-template.ts'

/**
 * Inserted after the first character of a control token's text, so that it is encoded as text and not as the token. It
 * is a Unicode noncharacter, reserved for use inside a program, so no client's text needs it. `Tokenizer.encode` drops
 * it.
 */
export const LITERAL_MARK = '\uFDD0'

/** Marks every control token that a text spells out. */
export type MarkLiteral = (text: string) => string

/**
 * Creates the function that marks texts of clients in a prompt: messages, tools, names. A client that writes
 * `<|im_end|>` means these characters; as a token they would end the turn, and the rest would take on another role.
 *
 * It also marks an unfinished control token at the end of a text, which the template's next characters could complete.
 */
export function literalMarker(controlTexts: readonly string[]): MarkLiteral {
  // The mark goes inside the text, so a token of one character can't be marked; no known vocabulary has one.
  const texts = new Set(controlTexts.filter((text) => [...text].length > 1))
  if (texts.size === 0) return (text) => text
  const control = beginningOf(texts)
  const beginnings = new Set(Array.from(texts).flatMap(beginningsOf))
  const longestBeginning = Math.max(...Array.from(beginnings, ({ length }) => length))

  return (text) => {
    const starts = new Set(Array.from(text.matchAll(control), ({ index }) => index))
    for (let at = Math.max(0, text.length - longestBeginning); at < text.length; at++)
      if (beginnings.has(text.slice(at))) starts.add(at)
    let marked = ''
    let done = 0
    for (const at of [...starts].sort((left, right) => left - right)) {
      const end = at + String.fromCodePoint(text.codePointAt(at)!).length
      marked += text.slice(done, end) + LITERAL_MARK
      done = end
    }
    return done === 0 ? text : marked + text.slice(done)
  }
}

/** Matches the first character of each text. One expression, because a loop would take seconds for megabytes of `<`. */
function beginningOf(texts: Iterable<string>): RegExp {
  const byFirst = Map.groupBy(texts, ([first]) => first!)
  const parts = Array.from(byFirst, ([first, group]) => {
    const rests = group.map((text) => escaped(text.slice(first.length))).sort()
    return `${escaped(first)}(?=${rests.join('|')})`
  })
  return new RegExp(parts.join('|'), 'gu')
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

/** No control token of a real model is longer. Without a limit, a hostile vocabulary could fill the memory with prefixes. */
const MAX_CONTROL_LENGTH = 64

function beginningsOf(text: string): string[] {
  if (text.length > MAX_CONTROL_LENGTH) return []
  return Array.from({ length: text.length - 1 }, (_, index) => text.slice(0, index + 1))
}

/** Marks all texts of a message. Its role is not free text of the client. */
export function markMessage(message: ChatMessage, mark: MarkLiteral): ChatMessage {
  const { name, toolCallId, toolCalls } = message
  return {
    ...message,
    content: mark(message.content),
    ...(name !== undefined && { name: mark(name) }),
    ...(toolCallId !== undefined && { toolCallId: mark(toolCallId) }),
    ...(toolCalls && {
      toolCalls: toolCalls.map((call) => ({
        id: mark(call.id),
        name: mark(call.name),
        arguments: mark(call.arguments),
      })),
    }),
  }
}

/** Marks all texts inside a JSON value, including the names of properties. */
export function markValue(value: unknown, mark: MarkLiteral): unknown {
  if (typeof value === 'string') return mark(value)
  if (Array.isArray(value)) return value.map((item) => markValue(item, mark))
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value)
  // `fromEntries` defines properties: a name such as `__proto__` stays an ordinary one.
  return Object.fromEntries(entries.map(([name, item]) => [mark(name), markValue(item, mark)]))
}

/**
 * Returns whether clients must not be able to write this text of a vocabulary as a token. That holds for control tokens
 * and for turn markers such as `<|user|>` or `<｜User｜>`, which some models (DeepSeek, gpt-oss) have as ordinary added
 * tokens. Other added tokens (`<think>`, `<tool_call>`, runs of spaces) belong to what people and models write.
 */
export function isControlText(text: string, isControl: boolean): boolean {
  return isControl || /^<[|｜].*[|｜]>$/su.test(text)
}
