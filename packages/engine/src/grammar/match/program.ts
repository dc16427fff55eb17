import { InvalidRequestError } from '../../errors.ts'
import { usedFirst, type CharRange, type GbnfAlternatives, type GbnfElement } from '../gbnf/costly-part.ts'
import type { GbnfRules } from '../gbnf/read-gbnf.ts'
import { ByteClasses, validRanges } from './byte-class.ts'

/** `call`: run `target`, then go on at `next`. `split`: go on at both. `byte`: read the bytes of a character from node `target`. */
export interface Op {
  readonly kind: 'byte' | 'call' | 'split' | 'return'
  readonly target: number
  readonly next: number
}

/** A grammar as a program of positions, which `Automaton` runs on all ways at once. */
export interface Program {
  readonly ops: readonly Op[]
  readonly start: number
  readonly classes: ByteClasses
}

/** The position at which every rule ends. */
export const RETURN = 0

/** Repetitions are written out, so a short grammar may become a long program. */
const MAX_OPS = 200_000

/** Each character outside ASCII takes two to four nodes of 1 KiB. */
const MAX_NODES = 20_000

/** @throws InvalidRequestError if no text fits the grammar, or it is too large */
export function compileProgram(rules: GbnfRules): Program {
  const compiler = new ProgramCompiler(rules)
  return compiler.compile()
}

const refused = (problem: string): InvalidRequestError =>
  new InvalidRequestError(`The grammar can't be used: ${problem}.`, { param: 'grammar' })

class ProgramCompiler {
  readonly #rules: GbnfRules
  /** Rules that some text fits: what needs another one is left out, so that no way of an answer is a dead end. */
  readonly #possible: ReadonlySet<string>
  readonly #classes = new ByteClasses()
  readonly #ops: Op[] = [{ kind: 'return', target: 0, next: 0 }]
  readonly #entries = new Map<string, number>()
  readonly #codes = new Map<number, number>()

  constructor(rules: GbnfRules) {
    this.#rules = rules
    this.#possible = possibleRules(rules)
  }

  compile(): Program {
    if (!this.#possible.has('root')) throw refused('no text fits it')
    // A call needs the entry of its rule before the rule is compiled: a split with two equal ways stands for it.
    for (const name of this.#possible)
      this.#entries.set(name, this.#add({ kind: 'split', target: 0, next: 0 }))
    for (const [name, entry] of this.#entries) {
      const body = this.#alternatives(this.#rules.get(name)!, RETURN)
      this.#ops[entry] = { kind: 'split', target: body, next: body }
    }
    return { ops: this.#ops, start: this.#entries.get('root')!, classes: this.#classes }
  }

  #add(op: Op): number {
    if (this.#ops.length >= MAX_OPS) throw refused(`its repetitions expand to more than ${MAX_OPS} parts`)
    return this.#ops.push(op) - 1
  }

  /** Returns the position of alternatives that go on at `next`. */
  #alternatives(alternatives: GbnfAlternatives, next: number): number {
    const rows = alternatives.filter((row) => isPossible(row, this.#possible))
    const entries = rows.map((row) =>
      row.reduceRight((after, element) => this.#element(element, after), next),
    )
    return entries.reduceRight((rest, entry) => this.#add({ kind: 'split', target: entry, next: rest }))
  }

  #element(element: GbnfElement, next: number): number {
    if (!isPossibleOnce(element, this.#possible)) return next
    const { least, most } = element
    let entry = next
    if (most === Infinity) entry = this.#loop(element, next)
    else
      for (let count = least; count < most; count++)
        entry = this.#add({ kind: 'split', target: this.#once(element, entry), next })
    for (let count = 0; count < least; count++) entry = this.#once(element, entry)
    return entry
  }

  #loop(element: GbnfElement, next: number): number {
    const entry = this.#add({ kind: 'split', target: next, next })
    this.#ops[entry] = { kind: 'split', target: this.#once(element, entry), next }
    return entry
  }

  #once({ text, chars, rule, group }: GbnfElement, next: number): number {
    if (text) return text.reduceRight((after, code) => this.#read(this.#code(code), after), next)
    if (chars) return this.#read(this.#classes.startOf(validRanges(chars)), next)
    if (group) return this.#alternatives(group, next)
    return this.#add({ kind: 'call', target: this.#entries.get(rule!)!, next })
  }

  #read(node: number, next: number): number {
    if (this.#classes.nodes > MAX_NODES) throw refused('it names too many different characters')
    return this.#add({ kind: 'byte', target: node, next })
  }

  /** Returns the node of one character. */
  #code(code: number): number {
    let node = this.#codes.get(code)
    if (node === undefined) this.#codes.set(code, (node = this.#classes.startOf([[code, code]])))
    return node
  }
}

function possibleRules(rules: GbnfRules): ReadonlySet<string> {
  const order = usedFirst(rules)
  const possible = new Set<string>()
  for (let size = -1; size !== possible.size;) {
    size = possible.size
    for (const name of order) if (isPossibleBody(rules.get(name)!, possible)) possible.add(name)
  }
  return possible
}

const isPossibleBody = (body: GbnfAlternatives, possible: ReadonlySet<string>): boolean =>
  body.some((row) => isPossible(row, possible))

const isPossible = (row: readonly GbnfElement[], possible: ReadonlySet<string>): boolean =>
  row.every((element) => element.least === 0 || isPossibleOnce(element, possible))

/** @throws InvalidRequestError for a token, which has no characters */
function isPossibleOnce(
  { text, chars, rule, group, isToken }: GbnfElement,
  possible: ReadonlySet<string>,
): boolean {
  if (isToken)
    throw refused("tokens (<…>) can't be named for a model of a swarm; write the characters in quotes")
  if (group) return isPossibleBody(group, possible)
  if (rule !== undefined) return possible.has(rule)
  return text ? text.every((code) => !isSurrogate(code)) : chars!.some(hasCharacter)
}

const isSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff
const hasCharacter = ([from, to]: CharRange): boolean => from <= to && !(isSurrogate(from) && isSurrogate(to))
