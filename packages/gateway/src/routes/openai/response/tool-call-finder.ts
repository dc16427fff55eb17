import { mayBeToolCall, parseToolCalls, type ToolDefinition } from '@petals-chat/engine'
import { callParts, type ChatPart, type ChatPartReader, contentPart } from './chat-part.ts'
import { heldBackLength } from './marker.ts'

/** With this, models that have learnt to call tools begin a call also behind words. */
const callMark = '<tool_call>'

export interface ToolCallFinderOptions {
  readonly tools: readonly ToolDefinition[]
  /** The grammar lets nothing but calls through. */
  readonly forced: boolean
  /** Whether an answer may have more than one call. */
  readonly parallel: boolean
}

/** Tells words from calls as the text of an answer comes in: words at once, calls when the answer is complete. */
export class ToolCallFinder implements ChatPartReader {
  readonly #options: ToolCallFinderOptions
  #place: 'start' | 'words' | 'calls' = 'start'
  #held = ''

  constructor(options: ToolCallFinderOptions) {
    this.#options = options
  }

  push(text: string): readonly ChatPart[] {
    this.#held += text
    if (this.#place === 'calls') return []
    if (this.#place === 'start' && (this.#options.forced || mayBeToolCall(this.#held))) return []
    const call = this.#held.indexOf(callMark)
    this.#place = call === -1 ? 'words' : 'calls'
    const certain = call === -1 ? this.#held.length - heldBackLength(this.#held, callMark) : call
    const words = this.#held.slice(0, certain)
    this.#held = this.#held.slice(certain)
    return contentPart(words)
  }

  finish(): readonly ChatPart[] {
    if (this.#place === 'words') return contentPart(this.#held)
    const { content, toolCalls } = parseToolCalls(this.#held, this.#options.tools)
    return [...contentPart(content), ...callParts(this.#options.parallel ? toolCalls : toolCalls.slice(0, 1))]
  }
}
