import { CallCandidate } from './call-candidate.ts'
import { callsIn } from './tool-calls.ts'

/** Models that were trained to call tools write these before a call, even after ordinary words. */
const callMarks = ['<tool_call>', '<function=', '[TOOL_CALLS]'] as const
/** Texts with which models frame a call: Hermes and Qwen, Mistral, Llama 3 and 4. */
const frames = [...callMarks, '<|python_tag|>', '<|python_start|>']
const fence = '```'
/** Language names of code blocks that may contain a call. */
const fenceWords = ['', 'json', 'tool_call', 'tool_calls', 'tool_code', 'tool']
const longestMark = Math.max(...callMarks.map((mark) => mark.length))
/** Each bracket that opens no JSON costs a scan of the following text, so only this many are tried, as in `parseToolCalls`. */
const MAX_CANDIDATES = 200

/**
 * Separates words from calls while the text of an answer streams in. Words are released as soon as they can't be part of
 * a call. Text that may be a call is held; from the first certain call on, all text is held until the end of the answer,
 * for `parseToolCalls`.
 */
export class ToolCallScanner {
  readonly #names: readonly string[]
  /** `start`: undecided; `json`: a call may begin with any bracket; `words`: only with `<tool_call>`; `calls`: one was found. */
  #mode: 'start' | 'json' | 'words' | 'calls' = 'start'
  #held = ''
  /** `#held` has been scanned up to here. */
  #position = 0
  /** The text that may be a call: with its frame it begins at `start`, its JSON at `begin`. */
  #candidate: { readonly start: number; readonly begin: number; readonly reader: CallCandidate } | undefined
  #skipper: JsonSkipper | undefined
  #candidates = 0

  constructor(names: readonly string[]) {
    this.#names = names
  }

  /** Returns the words that are certainly not part of a call, with those held before. */
  push(text: string): string {
    this.#held += text
    if (this.#mode === 'calls') return ''
    if (this.#mode === 'start' && !this.#decideStart()) return ''
    this.#scan()
    return this.#take(this.#candidate?.start ?? this.#position)
  }

  /** The text that is held: it may be calls, or their beginning. */
  get held(): string {
    return this.#held
  }

  /** Returns the rest, which may contain calls. */
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

  /** Returns false while the beginning is ambiguous. */
  #decideStart(): boolean {
    let rest = this.#held.trimStart()
    for (let frame = frameOf(rest); frame !== undefined; frame = frameOf(rest)) {
      if (frame === 'open') return false
      if (frame === 'code') return this.#begin('json')
      if (frame === '<tool_call>' || frame === '<function=') return this.#begin('calls')
      rest = rest.slice(frame.length).trimStart()
    }
    if (rest === '') return false
    const named = namedCall(rest, this.#names)
    if (named !== 'none') return named === 'call' ? this.#begin('calls') : false
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
      } else if (char === '<' || char === '[') {
        const rest = this.#held.slice(this.#position, this.#position + longestMark)
        if (callMarks.some((mark) => rest.startsWith(mark))) this.#mode = 'calls'
        else if (callMarks.some((mark) => mark.startsWith(rest))) return
        else if (this.#opensJson(char)) this.#startCandidate(this.#position, this.#position)
        else this.#position++
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

  /** JSON inside JSON is not a call: skips to the end of the value. */
  #skip(begin: number): void {
    const skipper = new JsonSkipper()
    for (let index = begin; index < this.#position; index++) if (skipper.push(this.#held[index]!)) return
    this.#skipper = skipper
  }
}

/**
 * Tells whether a text begins with a call that names its function first: `NAME[ARGS]{`, `NAME{` (Mistral) or `[NAME(` (Llama);
 * `open`: it may still become one.
 */
function namedCall(text: string, names: readonly string[]): 'call' | 'open' | 'none' {
  const forms = text.startsWith('[')
    ? names.map((name) => `${name}(`)
    : names.flatMap((name) => ['[ARGS]', '[CALL_ID]', '{', ' {'].map((next) => name + next))
  const begin = text.startsWith('[') ? text.slice(1).trimStart() : text
  if (forms.some((form) => begin.startsWith(form))) return 'call'
  return forms.some((form) => form.startsWith(begin)) ? 'open' : 'none'
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** Returns the frame with which a text begins; `open`: it may still become one; `code`: another kind of code block. */
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

  /** Returns true if the value ends with this character. */
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
