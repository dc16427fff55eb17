/** A piece of Python source. Line ends count only outside brackets. */
export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'sign' | 'line'
  readonly value: string
  readonly line: number
}

const PIECES: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /(?:[ \t\f]+|#[^\n]*|\\\r?\n)/y],
  ['line', /\r?\n/y],
  ['text', /[rRbBuUfF]{0,2}(?:'''[^]*?'''|"""[^]*?"""|'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*")/y],
  ['number', /(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y],
  ['name', /[A-Za-z_]\w*/y],
  ['sign', /[^]/y],
]

/** Divides Python source into tokens. Never throws: what is no Python becomes signs. */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  let line = 1
  while (at < source.length) {
    for (const [kind, pattern] of PIECES) {
      pattern.lastIndex = at
      const found = pattern.exec(source)?.[0]
      if (found === undefined) continue
      if (kind !== 'space') tokens.push({ kind, value: found, line })
      at += found.length
      line += found.split('\n').length - 1
      break
    }
  }
  return tokens
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\n': '' }

/** Returns the text of a string literal. */
export function textOf(literal: string): string {
  const [, prefix = '', quoted = ''] = /^([A-Za-z]*)([^]*)$/.exec(literal) ?? []
  const width = /^('''|""")/.test(quoted) ? 3 : 1
  const body = quoted.slice(width, -width)
  if (/r/i.test(prefix)) return body
  return body.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([^]))/g, (_, hex, unicode, char: string) =>
    hex || unicode
      ? String.fromCharCode(Number.parseInt((hex ?? unicode) as string, 16))
      : (ESCAPES[char] ?? char),
  )
}
