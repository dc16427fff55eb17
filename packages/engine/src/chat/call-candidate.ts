/** Keys with which a call may begin. An object whose first key is another one is not a call. */
const callKeys = [
  'name',
  'arguments',
  'parameters',
  'id',
  'type',
  'index',
  'thought',
  'thoughts',
  'reasoning',
]

/** `open`: it may still become a call; `closed`: the JSON value is complete; `other`: JSON, but not a call; `broken`: not JSON. */
export type CandidateState = 'open' | 'closed' | 'other' | 'broken'

interface Container {
  readonly isObject: boolean
  /** True if only lists enclose it: then it may be a call, or a list of calls. */
  readonly mayCall: boolean
  expects: 'first' | 'key' | 'colon' | 'value' | 'comma'
  key: string
}

/** Reads JSON character by character, and reports as soon as the value can't be a call of one of the functions. */
export class CallCandidate {
  readonly #names: readonly string[]
  readonly #open: Container[] = []
  #state: CandidateState = 'open'
  /** The string (without its quotes), number or word that is being read. */
  #token:
    | { readonly kind: 'string' | 'word'; readonly isKey: boolean; text: string; isEscaped: boolean }
    | undefined

  constructor(names: readonly string[]) {
    this.#names = names
  }

  push(char: string): CandidateState {
    if (this.#state === 'open') this.#state = this.#next(char)
    return this.#state
  }

  #next(char: string): CandidateState {
    if (this.#token?.kind === 'string') return this.#inString(char)
    if (this.#token && /[-+.0-9a-zA-Z]/.test(char)) {
      this.#token.text += char
      return 'open'
    }
    this.#token = undefined
    if (/[ \t\r\n]/.test(char)) return 'open'
    const top = this.#open.at(-1)
    return top ? this.#inside(top, char) : this.#begin(char, true)
  }

  #inside(top: Container, char: string): CandidateState {
    const { isObject, expects } = top
    if (char === (isObject ? '}' : ']'))
      return expects === 'first' || expects === 'comma' ? this.#end() : 'broken'
    if (expects === 'comma') {
      if (char !== ',') return 'broken'
      top.expects = isObject ? 'key' : 'value'
      return 'open'
    }
    if (expects === 'colon') {
      if (char !== ':') return 'broken'
      top.expects = 'value'
      return 'open'
    }
    if (isObject && expects !== 'value') {
      if (char !== '"') return 'broken'
      this.#token = { kind: 'string', isKey: true, text: '', isEscaped: false }
      return 'open'
    }
    top.expects = 'comma'
    if (top.mayCall && !isObject && char !== '{' && char !== '[')
      return isValueStart(char) ? 'other' : 'broken'
    if (top.mayCall && top.key === 'name' && char !== '"') return isValueStart(char) ? 'other' : 'broken'
    return this.#begin(char, top.mayCall && !isObject)
  }

  #begin(char: string, mayCall: boolean): CandidateState {
    if (char === '{' || char === '[')
      this.#open.push({ isObject: char === '{', mayCall, expects: 'first', key: '' })
    else if (char === '"') this.#token = { kind: 'string', isKey: false, text: '', isEscaped: false }
    else if (/[-0-9tfn]/.test(char))
      this.#token = { kind: 'word', isKey: false, text: char, isEscaped: false }
    else return 'broken'
    return 'open'
  }

  #inString(char: string): CandidateState {
    const token = this.#token!
    const top = this.#open.at(-1)!
    if (char === '"' && !token.isEscaped) return this.#endString(top)
    if (char < ' ') return 'broken'
    token.isEscaped = char === '\\' && !token.isEscaped
    token.text += char
    if (!top.mayCall || !top.isObject || token.text.includes('\\')) return 'open'
    const wanted = token.isKey
      ? top.key === ''
        ? callKeys
        : undefined
      : top.key === 'name'
        ? this.#names
        : undefined
    return wanted === undefined || wanted.some((each) => each.startsWith(token.text)) ? 'open' : 'other'
  }

  #endString(top: Container): CandidateState {
    const { isKey, text } = this.#token!
    this.#token = undefined
    const isPlain = !text.includes('\\')
    if (isKey) {
      const isFirst = top.key === ''
      top.key = text || '""'
      top.expects = 'colon'
      return top.mayCall && isFirst && isPlain && !callKeys.includes(text) ? 'other' : 'open'
    }
    return top.mayCall && top.isObject && top.key === 'name' && isPlain && !this.#names.includes(text)
      ? 'other'
      : 'open'
  }

  #end(): CandidateState {
    this.#open.pop()
    return this.#open.length === 0 ? 'closed' : 'open'
  }
}

const isValueStart = (char: string): boolean => /["[{\-0-9tfn]/.test(char)
