import { newToolCallId, parseToolCalls, type ToolDefinition } from '@petals-chat/engine'
import { callParts, type ChatPart, type ChatPartReader } from './chat-part.ts'
import { JsonEnd } from './json-end.ts'

/** The beginning of a call that `toolCallGrammar` forces, up to the object of its arguments. */
const callHead = /^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)/

/** Reads the single call that a grammar forces. Its arguments are passed on as they arrive, because they may be long. */
export class ForcedCallReader implements ChatPartReader {
  readonly #tools: readonly ToolDefinition[]
  #place: 'head' | 'arguments' | 'end' = 'head'
  #held = ''
  readonly #end = new JsonEnd()

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
    if (this.#place !== 'arguments') return []
    const end = this.#end.find(text)
    if (end !== undefined) this.#place = 'end'
    const shown = text.slice(0, end)
    return shown === '' ? [] : [{ type: 'tool-arguments', index: 0, text: shown }]
  }
}
