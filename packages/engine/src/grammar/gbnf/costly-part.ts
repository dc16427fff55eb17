/** The first and the last code point of a range. */
export type CharRange = readonly [from: number, to: number]

/** A part of a rule: one of `text`, `chars`, `rule`, `group` and `isToken`, and how often it is repeated. */
export interface GbnfElement {
  /** The code points of a text. */
  readonly text?: readonly number[]
  /** A character of one of these ranges. */
  readonly chars?: readonly CharRange[]
  readonly rule?: string
  readonly group?: GbnfAlternatives
  /** A token by its id or name, which only llama.cpp can read. */
  readonly isToken?: boolean
  /** The element is an empty text. */
  readonly isEmpty?: boolean
  readonly least: number
  readonly most: number
}

export type GbnfAlternatives = ReadonlyArray<readonly GbnfElement[]>

/** The most elements after llama.cpp has expanded the repetitions. */
const MAX_ELEMENTS = 100_000
/** The most positions at which a text may continue: llama.cpp follows each of them for every character. */
const MAX_WAYS = 4000
/** The most parts of a sequence that may be empty. */
const MAX_EMPTY_IN_ROW = 100
/** The most repetitions of a part that may be empty: each one multiplies the positions. */
const MAX_EMPTY_REPETITIONS = 16

/**
 * Describes the part of a grammar that would keep llama.cpp busy for long; undefined if there is none. llama.cpp's work for one
 * character grows with the number of positions at which the text may continue, and it has no limit of its own.
 */
export function costlyPart(rules: ReadonlyMap<string, GbnfAlternatives>): string | undefined {
  const order = usedFirst(rules)
  const empty = rulesThatMayBeEmpty(rules, order)
  const ways = new WaysCounter(empty)
  for (const name of order) ways.add(name, rules.get(name)!)
  let elements = 0
  for (const [name, body] of rules) {
    elements += sizeOf(body)
    if (elements > MAX_ELEMENTS) return `its repetitions expand to more than ${MAX_ELEMENTS} parts`
    const count = emptyRepetitions(body, empty)
    if (count > MAX_EMPTY_REPETITIONS)
      return `the rule '${name}' repeats a part that may be empty ${count} times; at most ${MAX_EMPTY_REPETITIONS} are allowed`
    const inRow = emptyInRow(body, empty)
    if (inRow > MAX_EMPTY_IN_ROW)
      return `the rule '${name}' has ${inRow} parts in a row that may be empty; at most ${MAX_EMPTY_IN_ROW} are allowed`
    if (ways.of(name) > MAX_WAYS)
      return `the rule '${name}' has more than ${MAX_WAYS} alternatives at one position`
  }
  return undefined
}

const countOf = ({ least, most }: GbnfElement): number => (most === Infinity ? least + 1 : most)

const sizeOf = (body: GbnfAlternatives): number =>
  body.reduce(
    (sum, row) =>
      sum +
      row.reduce(
        (all, each) => all + Math.max(1, countOf(each)) * (each.group ? 1 + sizeOf(each.group) : 1),
        0,
      ),
    0,
  )

/** Orders the rules so that each one follows those that it uses, except for cycles. Not recursive, because chains of rules may be long. */
export function usedFirst(rules: ReadonlyMap<string, GbnfAlternatives>): readonly string[] {
  const order = new Set<string>()
  const begun = new Set<string>()
  const open = [...rules.keys()].reverse()
  for (let name = open.at(-1); name !== undefined; name = open.at(-1)) {
    if (begun.has(name)) {
      order.add(name)
      open.pop()
      continue
    }
    begun.add(name)
    open.push(...usedBy(rules.get(name)!).filter((used) => !begun.has(used) && rules.has(used)))
  }
  return [...order]
}

const usedBy = (body: GbnfAlternatives): readonly string[] =>
  body.flatMap((row) => row.flatMap(({ rule, group }) => (group ? usedBy(group) : (rule ?? []))))

function rulesThatMayBeEmpty(
  rules: ReadonlyMap<string, GbnfAlternatives>,
  order: readonly string[],
): ReadonlySet<string> {
  const empty = new Set<string>()
  for (let size = -1; size !== empty.size;) {
    size = empty.size
    for (const name of order) if (mayBeEmpty(rules.get(name)!, empty)) empty.add(name)
  }
  return empty
}

const mayBeEmpty = (body: GbnfAlternatives, empty: ReadonlySet<string>): boolean =>
  body.some((row) => row.every((element) => element.least === 0 || isEmptyOnce(element, empty)))

const isEmptyOnce = ({ rule, group, isEmpty }: GbnfElement, empty: ReadonlySet<string>): boolean =>
  isEmpty === true || (group ? mayBeEmpty(group, empty) : rule !== undefined && empty.has(rule))

/** Returns the highest repetition count of parts that may be empty. Nested counts multiply; counts within a sequence add up. */
function emptyRepetitions(body: GbnfAlternatives, empty: ReadonlySet<string>): number {
  let most = 0
  for (const row of body) {
    let inRow = 0
    for (const element of row) {
      const inside = element.group ? emptyRepetitions(element.group, empty) : 0
      const own = isEmptyOnce(element, empty) && element.isEmpty !== true ? countOf(element) : 0
      const isRepeated = own > 1
      inRow = isRepeated ? inRow + own * Math.max(1, inside) : inRow
      most = Math.max(most, inRow, inside * Math.max(1, inside > 1 ? countOf(element) : 1))
    }
  }
  return most
}

function emptyInRow(body: GbnfAlternatives, empty: ReadonlySet<string>): number {
  let most = 0
  for (const row of body) {
    let inRow = 0
    for (const element of row) {
      if (element.isEmpty !== true && (element.least === 0 || isEmptyOnce(element, empty))) inRow++
      if (element.group) most = Math.max(most, emptyInRow(element.group, empty))
    }
    most = Math.max(most, inRow)
  }
  return most
}

/** Counts the first characters of rules, once for each position in the grammar. */
class WaysCounter {
  readonly #empty: ReadonlySet<string>
  readonly #known = new Map<string, number>()

  constructor(empty: ReadonlySet<string>) {
    this.#empty = empty
  }

  /** Rules must be added after those that they use. In a cycle the first one is not known yet, but llama.cpp refuses left recursion. */
  add(name: string, body: GbnfAlternatives): void {
    this.#known.set(name, this.#ofBody(body))
  }

  of(name: string): number {
    return this.#known.get(name) ?? 0
  }

  #ofBody(body: GbnfAlternatives): number {
    return body.reduce((sum, row) => sum + this.#ofRow(row), 0)
  }

  #ofRow(row: readonly GbnfElement[]): number {
    let ways = 0
    for (const element of row) {
      const { rule, group, isEmpty, least } = element
      const once = group ? this.#ofBody(group) : rule === undefined ? (isEmpty ? 0 : 1) : this.of(rule)
      ways += isEmptyOnce(element, this.#empty) ? once * Math.max(1, countOf(element)) : once
      if (least > 0 && !isEmptyOnce(element, this.#empty)) break
    }
    return ways
  }
}
