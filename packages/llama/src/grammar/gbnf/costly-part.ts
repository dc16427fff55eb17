/** What stands in a rule, as far as llama.cpp's work depends on it. */
export interface GbnfElement {
  /** A character or token where neither `rule` nor `group` is there. */
  readonly rule?: string
  readonly group?: GbnfAlternatives
  /** An empty text: it takes nothing. */
  readonly isEmpty?: boolean
  readonly least: number
  readonly most: number
}

export type GbnfAlternatives = ReadonlyArray<readonly GbnfElement[]>

/** Elements that llama.cpp writes out. */
const MAX_ELEMENTS = 100_000
/** Places at which a text may go on: llama.cpp follows each of them with every character. */
const MAX_WAYS = 4000
/** Parts of a row that may be empty. */
const MAX_EMPTY_IN_ROW = 100
/** Repetitions of what may be empty: the places multiply with each. */
const MAX_EMPTY_REPETITIONS = 16

/**
 * Says what in a grammar would keep llama.cpp busy for long: its work for one character grows with the places at which
 * the text may go on, and it has no limit of its own. Undefined if nothing does.
 */
export function costlyPart(rules: ReadonlyMap<string, GbnfAlternatives>): string | undefined {
  const order = usedFirst(rules)
  const empty = rulesThatMayBeEmpty(rules, order)
  const ways = new WaysCounter(empty)
  for (const name of order) ways.add(name, rules.get(name)!)
  let elements = 0
  for (const [name, body] of rules) {
    elements += sizeOf(body)
    if (elements > MAX_ELEMENTS) return `its repetitions make more than ${MAX_ELEMENTS} parts`
    const count = emptyRepetitions(body, empty)
    if (count > MAX_EMPTY_REPETITIONS)
      return `the rule '${name}' repeats ${count} times what may be empty; ${MAX_EMPTY_REPETITIONS} times are allowed`
    const inRow = emptyInRow(body, empty)
    if (inRow > MAX_EMPTY_IN_ROW)
      return `the rule '${name}' has ${inRow} parts in a row that may be empty; ${MAX_EMPTY_IN_ROW} are allowed`
    if (ways.of(name) > MAX_WAYS)
      return `the rule '${name}' leaves more than ${MAX_WAYS} ways to go on at one place`
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

/** The rules, each behind those that it uses, but for circles. No recursion: rules may stand in long rows. */
function usedFirst(rules: ReadonlyMap<string, GbnfAlternatives>): readonly string[] {
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

/** The most that something is repeated that may be empty, each in the other; in a row they count together. */
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

/** The characters with which a rule may begin, each place of the grammar counted. */
class WaysCounter {
  readonly #empty: ReadonlySet<string>
  readonly #known = new Map<string, number>()

  constructor(empty: ReadonlySet<string>) {
    this.#empty = empty
  }

  /** Rules come behind those that they use; of circles the first is not known yet, and llama.cpp refuses left recursion. */
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
