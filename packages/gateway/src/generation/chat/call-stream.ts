import { newToolCallId, parseToolCalls, type ToolDefinition } from '@petals-chat/engine'
import { callParts, type ChatPart, contentPart } from './chat-part.ts'
import { JsonEnd } from './json-end.ts'

/** What may stand before a call, besides white space: frames of the notations, and what is left of the call before it. */
const frame =
  /^(?:\s|<\/?tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|```(?:json|tool_calls?|tool_code|tool)?|<\/function>|,|\[(?=\s*\{)|\])*/
/** The beginning of a call up to the object of its arguments: `{"name": "…", "arguments": {`. */
const jsonHead = /^\{\s*"name"\s*:\s*"([\w.-]{1,64})"\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)/
/** The same of `<function=NAME>{` and `NAME[ARGS]{`. */
const namedHead =
  /^(?:<function=([\w.-]{1,64})>|([\w-]{1,64})(?:\[CALL_ID\][\w-]{1,64})?(?:\[ARGS\])?)\s*(?=\{)/

/** `object`: within the JSON object of a call, after its arguments. */
type Place = 'between' | 'arguments' | 'object'

/** Reads calls whose arguments are JSON and follow the name, and passes the arguments on as they arrive: they may be long. */
export class CallStream {
  readonly #tools: readonly ToolDefinition[]
  readonly #parallel: boolean
  #place: Place = 'between'
  #held = ''
  #calls = 0
  /** Where the arguments end, and then the object around them. */
  #end = new JsonEnd()
  #isInObject = false

  constructor(tools: readonly ToolDefinition[], parallel: boolean) {
    this.#tools = tools
    this.#parallel = parallel
  }

  /** True from the first call on: then all text of the answer belongs here. */
  get hasBegun(): boolean {
    return this.#calls > 0
  }

  push(text: string): readonly ChatPart[] {
    this.#held += text
    const parts: ChatPart[] = []
    while (this.#held !== '') {
      const before = this.#held.length
      parts.push(...this.#step())
      if (this.#held.length === before) break
    }
    return parts
  }

  /** Drops what was held before the first call. */
  forget(): void {
    this.#held = ''
  }

  /** The calls and words that are left. Half a call keeps the arguments so far. */
  finish(): readonly ChatPart[] {
    if (this.#place !== 'between') return []
    const rest = this.#held.replace(frame, '')
    const { content, toolCalls } = parseToolCalls(rest, this.#tools)
    const calls = this.#parallel ? toolCalls : []
    return [...contentPart(content), ...callParts(calls, this.#calls)]
  }

  #step(): readonly ChatPart[] {
    if (this.#place === 'between') return this.#begin()
    const { text, length, isEnd } = this.#read()
    this.#held = this.#held.slice(length)
    const index = this.#calls - 1
    const isShown = this.#place === 'arguments' && (this.#parallel || index === 0)
    if (isEnd) this.#leave()
    return isShown && text !== '' ? [{ type: 'tool-arguments', index, text }] : []
  }

  /** Reads what is held up to the end of the object. White space between its parts is left out, as in calls that come whole. */
  #read(): { readonly text: string; readonly length: number; readonly isEnd: boolean } {
    let text = ''
    for (let index = 0; index < this.#held.length; index++) {
      const char = this.#held[index]!
      if (this.#end.isInString || !/\s/.test(char)) text += char
      if (this.#end.push(char)) return { text, length: index + 1, isEnd: true }
    }
    return { text, length: this.#held.length, isEnd: false }
  }

  #leave(): void {
    this.#place = this.#place === 'arguments' && this.#isInObject ? 'object' : 'between'
    // The object around the arguments is open already.
    this.#end = new JsonEnd(this.#place === 'object' ? 1 : 0)
  }

  #begin(): readonly ChatPart[] {
    const start = frame.exec(this.#held)![0].length
    const rest = this.#held.slice(start)
    const json = jsonHead.exec(rest)
    const head = json ?? namedHead.exec(rest)
    const name = head?.[1] ?? head?.[2]
    if (!head || !this.#tools.some((tool) => tool.name === name)) return []
    this.#held = rest.slice(head[0].length)
    this.#place = 'arguments'
    this.#isInObject = json !== null
    this.#end = new JsonEnd()
    const index = this.#calls++
    return this.#parallel || index === 0
      ? [{ type: 'tool-call', index, id: newToolCallId(), name: name! }]
      : []
  }
}
