import type { RuleSet } from '../gbnf/rule-set.ts'
import type { Automaton } from './automaton.ts'
import { type CharSet, charSet } from './char-set.ts'

/** JSON's short escapes. */
const escapes: ReadonlyMap<number, string> = new Map([
  [8, 'b'],
  [9, 't'],
  [10, 'n'],
  [12, 'f'],
  [13, 'r'],
  [0x22, '"'],
  [0x5c, '\\'],
])

/**
 * Returns an expression for the texts of an automaton, either as the contents of a JSON string or as they are. Each state has at
 * most one edge for a character, so llama.cpp follows a single path for any language.
 */
export function automatonToGbnf(
  automaton: Automaton,
  rules: RuleSet,
  ruleName: string,
  as: 'json' | 'plain' = 'json',
): string {
  const charsToGbnf = as === 'json' ? charsInJson : charsAsTheyAre
  const names = new Map<number, string>()
  const incoming = automaton.map(() => 0)
  for (const { edges } of automaton) for (const { to } of edges) incoming[to]!++

  const bodyOf = (state: number): string => {
    const { accepts, edges } = automaton[state]!
    const ways = edges.map(({ chars, to }) => `${charsToGbnf(chars)} ${follow(to)}`.trimEnd())
    return [...ways, ...(accepts ? ['""'] : [])].join(' | ')
  }
  /** A chain of states is written as one sequence. */
  const follow = (state: number): string => {
    const parts: string[] = []
    for (let next = state; ;) {
      const { accepts, edges } = automaton[next]!
      if (accepts && edges.length === 0) return parts.join(' ')
      if (accepts || edges.length > 1 || incoming[next]! > 1) return [...parts, nameOf(next)].join(' ')
      parts.push(charsToGbnf(edges[0]!.chars))
      next = edges[0]!.to
    }
  }
  const open: number[] = []
  const nameOf = (state: number): string => {
    const known = names.get(state)
    if (known) return known
    const name = rules.reserve(ruleName)
    names.set(state, name)
    open.push(state)
    return name
  }
  const start = incoming[0]! > 0 ? nameOf(0) : follow(0) || '""'
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    rules.set(names.get(state)!, bodyOf(state))
  }
  return start
}

const charsAsTheyAre = (chars: CharSet): string => `[${chars.map(rangeToGbnf).join('')}]`

function charsInJson(chars: CharSet): string {
  const plain = chars.flatMap(([from, to]) => withoutEscaped(from, to))
  const escaped = [...escapes].flatMap(([code, letter]) =>
    chars.some(([from, to]) => from <= code && code <= to) ? [letter] : [],
  )
  const classes = [
    ...(plain.length > 0 ? [`[${charSet(plain).map(rangeToGbnf).join('')}]`] : []),
    ...(escaped.length > 0
      ? [`"\\\\" [${escaped.map((letter) => hex(letter.codePointAt(0)!)).join('')}]`]
      : []),
  ]
  return classes.length === 1 ? classes[0]! : `( ${classes.join(' | ')} )`
}

/** Returns the parts of a range that need no escape in a JSON string. */
function withoutEscaped(from: number, to: number): Array<readonly [number, number]> {
  const ranges: Array<readonly [number, number]> = []
  let next = Math.max(from, 0x20)
  for (const code of [0x22, 0x5c, 0x7f]) {
    if (code < next || code > to) continue
    if (code > next) ranges.push([next, code - 1])
    next = code + 1
  }
  return next <= to ? [...ranges, [next, to]] : ranges
}

const rangeToGbnf = ([from, to]: readonly [number, number]): string =>
  from === to ? hex(from) : `${hex(from)}-${hex(to)}`

/** Writes a character of a class: letters and digits as they are, others by their code. */
function hex(code: number): string {
  const char = String.fromCodePoint(code)
  if (/[a-zA-Z0-9]/.test(char)) return char
  const digits = code.toString(16)
  if (code < 0x100) return `\\x${digits.padStart(2, '0')}`
  return code < 0x10000 ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`
}
