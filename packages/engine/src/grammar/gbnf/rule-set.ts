/** The longest grammar, in characters: llama.cpp takes seconds to read longer ones. */
export const MAX_GRAMMAR_LENGTH = 256 * 1024

/** GBNF rules for JSON, on which schemas are built. Numbers and indentation are bounded, because a model may repeat itself forever. */
const jsonRules = {
  ws: '| " " | "\\n" [ \\t]{0,20}',
  value: 'object | array | string | number | boolean | null',
  object: '"{" ws ( string ":" ws value ( "," ws string ":" ws value )* ws )? "}"',
  array: '"[" ws ( value ( "," ws value )* ws )? "]"',
  string: '"\\"" char* "\\""',
  // One character of the text: both halves of a surrogate pair are escaped together.
  char:
    '[^"\\\\\\x7F\\x00-\\x1F] | "\\\\" ( ["\\\\bfnrt] | "u" ( ( [0-9a-cA-Ce-fE-F] hex | [dD] [0-7] ) hex hex ' +
    '| [dD] [89abAB] hex hex "\\\\u" [dD] [c-fC-F] hex hex ) )',
  hex: '[0-9a-fA-F]',
  number: '"-"? ( "0" | [1-9] [0-9]{0,15} ) fraction? ( [eE] [-+]? [0-9]{1,2} )?',
  integer: '"0" | "-"? [1-9] [0-9]{0,15}',
  fraction: '"." [0-9]{1,16}',
  boolean: '"true" | "false"',
  null: '"null"',
} as const

export type JsonRule = keyof typeof jsonRules

/** The rules that each rule uses directly. */
const uses: Readonly<Record<JsonRule, readonly JsonRule[]>> = {
  ws: [],
  value: ['object', 'array', 'string', 'number', 'boolean', 'null'],
  object: ['ws', 'string', 'value'],
  array: ['ws', 'value'],
  string: ['char'],
  char: ['hex'],
  hex: [],
  number: ['fraction'],
  integer: [],
  fraction: [],
  boolean: [],
  null: [],
}

/** llama.cpp walks grammars recursively: far more rules would overflow its stack. */
export const MAX_RULES = 4800

/** A grammar has more rules or characters than the engine accepts, so its compilation stops. */
export class GrammarTooLarge extends Error {
  override readonly name = 'GrammarTooLarge'
}

/** The rules of a grammar: the JSON rules that it needs, and those that a schema adds. */
export class RuleSet {
  readonly #rules = new Map<string, string>()
  /** Where the search for a free name continues, by requested name. */
  readonly #counts = new Map<string, number>()
  #length = 0

  /** Adds a JSON rule and the rules that it uses; returns its name. */
  json(rule: JsonRule): JsonRule {
    if (this.#rules.has(rule)) return rule
    this.#rules.set(rule, jsonRules[rule])
    for (const used of uses[rule]) this.json(used)
    return rule
  }

  /** Reserves a new name, similar to the requested one; `set` defines its rule later. @throws GrammarTooLarge */
  reserve(requested: string): string {
    if (this.#rules.size > MAX_RULES) throw new GrammarTooLarge()
    const base =
      requested
        .replace(/[^a-zA-Z0-9]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 40) || 'rule'
    for (let count = this.#counts.get(base) ?? 0; ; count++) {
      const name = count === 0 ? `s-${base}` : `s-${base}-${count}`
      if (this.#rules.has(name)) continue
      this.#counts.set(base, count + 1)
      this.#rules.set(name, '')
      return name
    }
  }

  /** @throws GrammarTooLarge */
  set(name: string, body: string): void {
    this.#length += body.length
    if (this.#length > MAX_GRAMMAR_LENGTH) throw new GrammarTooLarge()
    this.#rules.set(name, body)
  }

  /** Defines a rule that matches nothing. */
  forbid(name: string): void {
    this.#rules.set(name, '[^\\x00-\\U0010FFFF]')
  }

  /** Adds a rule; returns its name. */
  add(requested: string, body: string): string {
    const name = this.reserve(requested)
    this.set(name, body)
    return name
  }

  get size(): number {
    return this.#rules.size
  }

  /** Returns the source of the grammar with this root. */
  toSource(root: string): string {
    return [['root', root], ...this.#rules].map(([name, body]) => `${name} ::= ${body}`).join('\n') + '\n'
  }
}

/** Writes a text as a GBNF literal. */
export function literal(text: string): string {
  const escaped = text.replace(/[\\"\u0000-\u001f\u007f]/g, (character) => {
    if (character === '\\' || character === '"') return `\\${character}`
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return `"${escaped}"`
}

/** Writes alternatives in brackets, unless there is only one. */
export const oneOf = (alternatives: readonly string[]): string =>
  alternatives.length === 1 ? alternatives[0]! : `( ${alternatives.join(' | ')} )`

/** Writes `{minimum,maximum}` after an expression; undefined means no limit. */
export function repeat(expression: string, minimum: number, maximum: number | undefined): string {
  if (maximum === undefined)
    return minimum === 0 ? `${expression}*` : minimum === 1 ? `${expression}+` : `${expression}{${minimum},}`
  if (maximum === 0) return ''
  return minimum === 0 && maximum === 1 ? `${expression}?` : `${expression}{${minimum},${maximum}}`
}
