import { parseToolCalls, type ToolDefinition, ToolCallScanner } from '@petals-chat/engine'
import { callParts, type ChatPart, type ChatPartReader, contentPart } from './chat-part.ts'

export interface ToolCallFinderOptions {
  readonly tools: readonly ToolDefinition[]
  /** The grammar lets nothing but calls through. */
  readonly forced: boolean
  /** Whether an answer may have more than one call. */
  readonly parallel: boolean
}

/**
 * Tells words from calls as the text of an answer comes in: words as soon as they can't be a call, calls when the answer
 * is complete.
 */
export class ToolCallFinder implements ChatPartReader {
  readonly #options: ToolCallFinderOptions
  readonly #scanner: ToolCallScanner
  /** Of an answer that can be nothing but calls. */
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
    // What is left of a forced answer that was cut off is half a call, and no words.
    return [...contentPart(forced ? '' : content), ...callParts(parallel ? toolCalls : toolCalls.slice(0, 1))]
  }
}
