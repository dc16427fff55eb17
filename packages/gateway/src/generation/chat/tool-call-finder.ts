import { parseToolCalls, type ToolDefinition, ToolCallScanner } from '@petals-chat/engine'
import { CallStream } from './call-stream.ts'
import { callParts, type ChatPart, type ChatPartReader, contentPart } from './chat-part.ts'

export interface ToolCallFinderOptions {
  readonly tools: readonly ToolDefinition[]
  /** The grammar allows only calls. */
  readonly forced: boolean
  /** An answer may have more than one call. */
  readonly parallel: boolean
}

/** The text before the arguments of a call that can be streamed is shorter than this. */
const MAX_HEAD = 500

/**
 * Separates words from calls as the text of an answer arrives: words as soon as they can't be a call, and calls as soon as
 * they certainly are; those in notations that `CallStream` does not read when the answer is complete.
 */
export class ToolCallFinder implements ChatPartReader {
  readonly #options: ToolCallFinderOptions
  readonly #scanner: ToolCallScanner
  readonly #stream: CallStream

  constructor(options: ToolCallFinderOptions) {
    this.#options = options
    this.#scanner = new ToolCallScanner(options.tools.map(({ name }) => name))
    this.#stream = new CallStream(options.tools, options.parallel)
  }

  push(text: string): readonly ChatPart[] {
    if (this.#stream.hasBegun) return this.#stream.push(text)
    const before = this.#scanner.held.length
    const words = this.#scanner.push(text)
    const calls = before > MAX_HEAD ? [] : this.#streamed()
    // What the grammar of a forced answer allows besides calls is white space.
    return this.#options.forced ? calls : [...contentPart(words), ...calls]
  }

  /** Tries whether what is held begins a call whose arguments can be passed on. */
  #streamed(): readonly ChatPart[] {
    const parts = this.#stream.push(this.#scanner.held)
    if (!this.#stream.hasBegun) this.#stream.forget()
    return parts
  }

  finish(): readonly ChatPart[] {
    const { tools, forced, parallel } = this.#options
    const parts = this.#stream.hasBegun ? this.#stream.finish() : []
    if (this.#stream.hasBegun) return forced ? parts.filter(({ type }) => type !== 'content') : parts
    const { text, mayHoldCalls } = this.#scanner.finish()
    if (!mayHoldCalls) return contentPart(forced ? '' : text)
    const { content, toolCalls } = parseToolCalls(text, tools)
    // The rest of a forced answer that was cut is half a call, not words.
    return [...contentPart(forced ? '' : content), ...callParts(parallel ? toolCalls : toolCalls.slice(0, 1))]
  }
}
