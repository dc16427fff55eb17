import { parseToolCalls, type ToolDefinition, ToolCallScanner } from '@petals-chat/engine'
import { callParts, type ChatPart, type ChatPartReader, contentPart } from './chat-part.ts'

export interface ToolCallFinderOptions {
  readonly tools: readonly ToolDefinition[]
  /** The grammar allows only calls. */
  readonly forced: boolean
  /** An answer may have more than one call. */
  readonly parallel: boolean
}

/**
 * Separates words from calls as the text of an answer arrives: words as soon as they can't be a call, calls when the
 * answer is complete.
 */
export class ToolCallFinder implements ChatPartReader {
  readonly #options: ToolCallFinderOptions
  readonly #scanner: ToolCallScanner
  /** The text so far of an answer that can only be calls. */
  #calls = ''

  constructor(options: ToolCallFinderOptions) {
    this.#options = options
    this.#scanner = new ToolCallScanner(options.tools.map(({ name }) => name))
  }

  push(text: string): readonly ChatPart[] {
    if (!this.#options.forced) return contentPart(this.#scanner.push(text))
    this.#calls += text
    return []
  }

  finish(): readonly ChatPart[] {
    const { tools, forced, parallel } = this.#options
    const { text, mayHoldCalls } = forced ? { text: this.#calls, mayHoldCalls: true } : this.#scanner.finish()
    if (!mayHoldCalls) return contentPart(text)
    const { content, toolCalls } = parseToolCalls(text, tools)
    // The rest of a forced answer that was cut is half a call, not words.
    return [...contentPart(forced ? '' : content), ...callParts(parallel ? toolCalls : toolCalls.slice(0, 1))]
  }
}
