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
  const texts = controlTexts.filter((text) => [...text].length > 1)
  if (texts.length === 0) return (text) => text
  const finder = new BeginningFinder(texts)

  return (text) => {
    let marked = ''
    let done = 0
    for (let at = 0; at < text.length; at++) {
      if (!finder.isAt(text, at)) continue
      const end = at + String.fromCodePoint(text.codePointAt(at)!).length
      marked += text.slice(done, end) + LITERAL_MARK
      done = end
    }
    return done === 0 ? text : marked + text.slice(done)
  }
}

/** Of longer texts only the beginning is compared, which bounds the work. No control token of a known model is longer. */
const MAX_COMPARED_LENGTH = 64

/**
 * Finds where a text contains one of many others, or ends with the beginning of one. Models for speech have a hundred
 * thousand: a sorted list needs little memory and time, where a regular expression of them overflows.
 */
class BeginningFinder {
  readonly #sorted: readonly string[]
  readonly #firstUnits: ReadonlySet<number>
  /** Megabytes of `<` must not be searched one by one in the list. */
  readonly #firstPairs: ReadonlySet<number>

  /** Each text has at least two UTF-16 units. */
  constructor(texts: readonly string[]) {
    // By units, as they are compared: a text comes before those that begin with it.
    this.#sorted = [...new Set(texts.map((text) => text.slice(0, MAX_COMPARED_LENGTH)))].sort()
    this.#firstUnits = new Set(this.#sorted.map((text) => text.charCodeAt(0)))
    this.#firstPairs = new Set(this.#sorted.map((text) => pairAt(text, 0)))
  }

  isAt(text: string, at: number): boolean {
    if (!this.#firstUnits.has(text.charCodeAt(at))) return false
    if (at + 1 === text.length) return true
    if (!this.#firstPairs.has(pairAt(text, at))) return false
    // The texts from `low` to before `high` agree with `text` in their first `length` units.
    let [low, high] = [0, this.#sorted.length]
    for (let length = 0; at + length < text.length; length++) {
      const unit = text.charCodeAt(at + length)
      low = this.#firstWith(length, unit, low, high)
      high = this.#firstWith(length, unit + 1, low, high)
      if (low === high) return false
      if (this.#sorted[low]!.length === length + 1) return true
    }
    return true
  }

  /** Returns the first text from `low` to before `high` whose unit at `index` is at least `unit`; `high` if there is none. */
  #firstWith(index: number, unit: number, low: number, high: number): number {
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#sorted[middle]!.charCodeAt(index) < unit) low = middle + 1
      else high = middle
    }
    return low
  }
}

const pairAt = (text: string, at: number): number => text.charCodeAt(at) * 2 ** 16 + text.charCodeAt(at + 1)

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
