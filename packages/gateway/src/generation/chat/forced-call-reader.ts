import { newToolCallId, parseToolCalls, type ToolDefinition } from '@petals-chat/engine'
import { callParts, type ChatPart, type ChatPartReader } from './chat-part.ts'

/** The beginning of a call that `toolCallGrammar` forces, up to the object of its arguments. */
const callHead = /^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)/

/** Reads the single call that a grammar forces. Its arguments are passed on as they arrive, because they may be long. */
export class ForcedCallReader implements ChatPartReader {
  readonly #tools: readonly ToolDefinition[]
  #place: 'head' | 'arguments' | 'end' = 'head'
  #held = ''
  #depth = 0
  #inString = false
  #escaped = false

  constructor(tools: readonly ToolDefinition[]) {
    this.#tools = tools
  }

  push(text: string): readonly ChatPart[] {
    if (this.#place !== 'head') return this.#argumentsPart(text)
    this.#held += text
    const head = callHead.exec(this.#held)
    if (!head) return []
    this.#place = 'arguments'
    const name = JSON.parse(head[1]!) as string
    return [
      { type: 'tool-call', index: 0, id: newToolCallId(), name },
      ...this.#argumentsPart(this.#held.slice(head[0].length)),
    ]
  }

  /** An answer that was cut before its call had a name has no parts: half a call is not words. */
  finish(): readonly ChatPart[] {
    if (this.#place !== 'head') return []
    return callParts(parseToolCalls(this.#held, this.#tools).toolCalls.slice(0, 1))
  }

  #argumentsPart(text: string): readonly ChatPart[] {
    let length = 0
    while (length < text.length && this.#place === 'arguments') this.#advance(text[length++]!)
    return length === 0 ? [] : [{ type: 'tool-arguments', index: 0, text: text.slice(0, length) }]
  }

  /** Counts brackets outside of strings: the arguments end with the one that closes the first. */
  #advance(char: string): void {
    if (this.#escaped) this.#escaped = false
    else if (char === '\\') this.#escaped = true
    else if (char === '"') this.#inString = !this.#inString
    else if (this.#inString) return
    else if (char === '{' || char === '[') this.#depth++
    else if ((char === '}' || char === ']') && --this.#depth === 0) this.#place = 'end'
  }
}
