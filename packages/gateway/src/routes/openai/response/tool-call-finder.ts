import { mayBeToolCall, parseToolCalls, type ToolAnswer, type ToolDefinition } from '@petals-chat/engine'
import { heldBackLength } from './marker.ts'

/** With this, models that have learnt to call tools begin a call also behind words. */
const CALL = '<tool_call>'

export interface ToolCallFinderOptions {
  readonly tools: readonly ToolDefinition[]
  /** The grammar lets nothing but calls through. */
  readonly forced: boolean
  /** Whether an answer may have more than one call. */
  readonly parallel: boolean
}

/** Tells words from calls as the text of an answer comes in: words at once, calls when they are complete. */
export class ToolCallFinder {
  readonly #options: ToolCallFinderOptions
  #place: 'start' | 'words' | 'calls' = 'start'
  #held = ''

  constructor(options: ToolCallFinderOptions) {
    this.#options = options
  }

  /** Words that are certainly no part of a call. */
  push(text: string): string {
    this.#held += text
    if (this.#place === 'start' && (this.#options.forced || mayBeToolCall(this.#held))) return ''
    if (this.#place === 'calls') return ''
    this.#place = 'words'
    const call = this.#held.indexOf(CALL)
    if (call !== -1) this.#place = 'calls'
    const certain = call === -1 ? this.#held.length - heldBackLength(this.#held, CALL) : call
    const words = this.#held.slice(0, certain)
    this.#held = this.#held.slice(certain)
    return words
  }

  /** What was held back. */
  finish(): ToolAnswer {
    if (this.#place === 'words') return { content: this.#held, toolCalls: [] }
    const { content, toolCalls } = parseToolCalls(this.#held, this.#options.tools)
    return { content, toolCalls: this.#options.parallel ? toolCalls : toolCalls.slice(0, 1) }
  }
}
