import type { Call } from './call.ts'

/** Reads one token of Python: a name, a number, a text, or a sign. */
const tokenPattern =
  /\s*(?:([A-Za-z_][\w.]*)|(-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([[\](){},:=]))/y

interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'sign'
  readonly text: string
}

/** The text is not a list of calls. */
class NotCalls extends Error {
  override readonly name = 'NotCalls'
}

/** Values are nested at most this deep. */
const MAX_DEPTH = 100

/**
 * Reads calls as Llama 3.2 and Llama 4 write them: `[get_weather(city="Rome", days=[1, 2]), get_time()]`, at the start of an
 * answer, with literals as arguments. Nothing is evaluated. Returns undefined if the text begins with anything else.
 */
export function parsePythonCalls(
  text: string,
  names: ReadonlySet<string>,
): { readonly start: number; readonly end: number; readonly calls: readonly Call[] } | undefined {
  const start = /^\s*(?:<\|python_start\|>|<\|python_tag\|>)?\s*(?=\[\s*[A-Za-z_])/.exec(text)?.[0].length
  if (start === undefined) return undefined
  try {
    const reader = new PythonReader(text, start, names)
    return { start, calls: reader.calls(), end: reader.position }
  } catch (error) {
    if (error instanceof NotCalls) return undefined
    throw error
  }
}

class PythonReader {
  position: number
  readonly #text: string
  readonly #names: ReadonlySet<string>
  #depth = 0

  constructor(text: string, position: number, names: ReadonlySet<string>) {
    this.#text = text
    this.position = position
    this.#names = names
  }

  calls(): readonly Call[] {
    this.#expect('[')
    return this.#list(']', () => this.#call())
  }

  #call(): Call {
    const { kind, text: name } = this.#next()
    if (kind !== 'name' || !this.#names.has(name)) throw new NotCalls()
    this.#expect('(')
    const entries = this.#list(')', () => this.#entry('=', 'name'))
    return { name, arguments: JSON.stringify(Object.fromEntries(entries)) }
  }

  #entry(sign: '=' | ':', kind: 'name' | 'text'): readonly [string, unknown] {
    const key = this.#next()
    if (key.kind !== kind) throw new NotCalls()
    this.#expect(sign)
    return [kind === 'text' ? textOf(key.text) : key.text, this.#value()]
  }

  #value(): unknown {
    if (++this.#depth > MAX_DEPTH) throw new NotCalls()
    const { kind, text } = this.#next()
    const value =
      kind === 'text'
        ? textOf(text)
        : kind === 'number'
          ? Number(text)
          : kind === 'name'
            ? wordOf(text)
            : this.#container(text)
    this.#depth--
    return value
  }

  #container(sign: string): unknown {
    if (sign === '[') return this.#list(']', () => this.#value())
    if (sign === '(') return this.#list(')', () => this.#value())
    if (sign === '{') return Object.fromEntries(this.#list('}', () => this.#entry(':', 'text')))
    throw new NotCalls()
  }

  /** Reads items up to the closing sign; a comma may follow the last one. */
  #list<Item>(end: string, read: () => Item): Item[] {
    const items: Item[] = []
    while (!this.#take(end)) {
      items.push(read())
      if (this.#take(end)) break
      this.#expect(',')
    }
    return items
  }

  #take(sign: string): boolean {
    const before = this.position
    const token = this.#read()
    if (token?.kind === 'sign' && token.text === sign) return true
    this.position = before
    return false
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) throw new NotCalls()
  }

  #next(): Token {
    const token = this.#read()
    if (!token) throw new NotCalls()
    return token
  }

  #read(): Token | undefined {
    tokenPattern.lastIndex = this.position
    const found = tokenPattern.exec(this.#text)
    if (!found) return undefined
    this.position = tokenPattern.lastIndex
    const [, name, number, text, sign] = found
    if (name !== undefined) return { kind: 'name', text: name }
    if (number !== undefined) return { kind: 'number', text: number }
    return text === undefined ? { kind: 'sign', text: sign! } : { kind: 'text', text }
  }
}

const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['True', true],
  ['true', true],
  ['False', false],
  ['false', false],
  ['None', null],
  ['null', null],
])

function wordOf(text: string): unknown {
  if (!words.has(text)) throw new NotCalls()
  return words.get(text)
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }

function textOf(source: string): string {
  return source
    .slice(1, -1)
    .replace(
      /\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\s\S]))/g,
      (_, unicode?: string, hex?: string, char?: string) => {
        const code = unicode ?? hex
        return code === undefined ? (escapes[char!] ?? char!) : String.fromCharCode(parseInt(code, 16))
      },
    )
}
