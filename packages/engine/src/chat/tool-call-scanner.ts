import { CallCandidate } from './call-candidate.ts'
import { callsIn } from './tool-calls.ts'

/** With this, models that have learnt to call tools begin a call also behind words. */
const callMark = '<tool_call>'
/** Texts with which models frame a call: Hermes and Qwen, Mistral, Llama 3. */
const frames = [callMark, '[TOOL_CALLS]', '<|python_tag|>']
const fence = '```'
/** What a code block says of a call within. */
const fenceWords = ['', 'json', 'tool_call', 'tool_calls', 'tool_code', 'tool']
/** Each bracket that opens no JSON costs a look at what follows: so many are tried, as `parseToolCalls` does. */
const MAX_CANDIDATES = 200

/**
 * Tells words from calls as the text of an answer comes in: words as soon as they can't be a call any more. What may be
 * one is held, up to the end of the answer once it is: then `parseToolCalls` reads it.
 */
export class ToolCallScanner {
  readonly #names: readonly string[]
  /** `start`: nothing has been said yet; `json`: calls may begin with any bracket; `words`: only with `<tool_call>`. */
  #mode: 'start' | 'json' | 'words' | 'calls' = 'start'
  #held = ''
  /** Up to here `held` has been looked at. */
  #position = 0
  /** What may be a call: `start` with its frame, `begin` its JSON. */
  #candidate: { readonly start: number; readonly begin: number; readonly reader: CallCandidate } | undefined
  #skipper: JsonSkipper | undefined
  #candidates = 0

  constructor(names: readonly string[]) {
    this.#names = names
  }

  /** What was said in `text` that is no call for certain, with what was held before. */
  push(text: string): string {
    this.#held += text
    if (this.#mode === 'calls') return ''
    if (this.#mode === 'start' && !this.#decideStart()) return ''
    this.#scan()
    return this.#take(this.#candidate?.start ?? this.#position)
  }

  /** The rest, which may hold calls. */
  finish(): { readonly text: string; readonly mayHoldCalls: boolean } {
    const mayHoldCalls = this.#mode === 'calls' || this.#mode === 'start' || this.#candidate !== undefined
    return { text: this.#held, mayHoldCalls }
  }

  #take(length: number): string {
    const words = this.#held.slice(0, length)
    this.#held = this.#held.slice(length)
    this.#position -= length
    if (this.#candidate) {
      const { start, begin, reader } = this.#candidate
      this.#candidate = { start: start - length, begin: begin - length, reader }
    }
    return words
  }

  /** False while the beginning may be that of several things. */
  #decideStart(): boolean {
    let rest = this.#held.trimStart()
    for (let frame = frameOf(rest); frame !== undefined; frame = frameOf(rest)) {
      if (frame === 'open') return false
      if (frame === 'code') return this.#begin('json')
      if (frame === callMark) return this.#begin('calls')
      rest = rest.slice(frame.length).trimStart()
    }
    if (rest === '') return false
    const isJson = rest.startsWith('{') || rest.startsWith('[')
    if (!isJson) return this.#begin(rest === this.#held.trimStart() ? 'words' : 'json')
    // The frame belongs to what may be a call.
    this.#position = this.#held.length - rest.length
    this.#mode = 'json'
    this.#startCandidate(0, this.#position)
    return true
  }

  #begin(mode: 'json' | 'words' | 'calls'): boolean {
    this.#mode = mode
    return mode !== 'calls'
  }

  #startCandidate(start: number, begin: number): void {
    this.#candidate = { start, begin, reader: new CallCandidate(this.#names) }
    this.#candidates++
  }

  #scan(): void {
    while (this.#mode !== 'calls' && this.#position < this.#held.length) {
      const char = this.#held[this.#position]!
      if (this.#candidate) this.#feed(char)
      else if (this.#skipper) {
        this.#position++
        if (this.#skipper.push(char)) this.#skipper = undefined
      } else if (
        char === '<' &&
        callMark.startsWith(this.#held.slice(this.#position, this.#position + callMark.length))
      ) {
        if (this.#held.length - this.#position < callMark.length) return
        this.#mode = 'calls'
      } else if (this.#opensJson(char)) this.#startCandidate(this.#position, this.#position)
      else this.#position++
    }
  }

  #opensJson(char: string): boolean {
    return this.#mode === 'json' && (char === '{' || char === '[') && this.#candidates < MAX_CANDIDATES
  }

  #feed(char: string): void {
    const { start, begin, reader } = this.#candidate!
    const state = reader.push(char)
    this.#position++
    if (state === 'open') return
    this.#candidate = undefined
    const value = state === 'closed' ? parsed(this.#held.slice(begin, this.#position)) : undefined
    if (state === 'other') this.#skip(begin)
    else if (value === undefined) this.#position = begin + 1
    else if (callsIn(value, new Set(this.#names))) {
      this.#mode = 'calls'
      this.#position = start
    }
  }

  /** JSON within JSON is no call: on to its end. */
  #skip(begin: number): void {
    const skipper = new JsonSkipper()
    for (let index = begin; index < this.#position; index++) if (skipper.push(this.#held[index]!)) return
    this.#skipper = skipper
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** The frame with which a text begins; `open`: it may yet become one; `code`: a code block of something else. */
function frameOf(text: string): string | undefined {
  if (text.startsWith(fence)) {
    const word = /^```([^\s{[]*)/.exec(text)![1]!
    if (text.length === fence.length + word.length)
      return fenceWords.some((each) => each.startsWith(word)) ? 'open' : 'code'
    return fenceWords.includes(word) ? fence + word : 'code'
  }
  if (text === '') return undefined
  const frame = frames.find((each) => text.startsWith(each))
  if (frame !== undefined) return frame
  return [...frames, fence].some((each) => each.startsWith(text)) ? 'open' : undefined
}

/** Counts brackets outside of strings, to find the end of a JSON value that has begun. */
class JsonSkipper {
  #depth = 0
  #inString = false
  #isEscaped = false

  /** Whether the value ends with this character. */
  push(char: string): boolean {
    if (this.#isEscaped) this.#isEscaped = false
    else if (this.#inString && char === '\\') this.#isEscaped = true
    else if (char === '"') this.#inString = !this.#inString
    else if (this.#inString) return false
    else if (char === '{' || char === '[') this.#depth++
    else if ((char === '}' || char === ']') && --this.#depth <= 0) return true
    return false
  }
}
