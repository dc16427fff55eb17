import { type CharSet, charSet, hasChar, textChars } from './char-set.ts'
import { addCuts, type Regular, type Regulars, TooComplex } from './regular.ts'

export interface State {
  /** A text may end here. */
  readonly accepts: boolean
  readonly edges: ReadonlyArray<{ readonly chars: CharSet; readonly to: number }>
}

/** The states of a language's deterministic automaton from which an accepting state can be reached. The first one is the start. */
export type Automaton = readonly State[]

/** Each state becomes a rule: more rules would slow down every step of the answer. */
const MAX_STATES = 1500

/** Builds the automaton of a language; it is empty if the language is. @throws TooComplex */
export function automatonOf(language: Regular, regulars: Regulars): Automaton {
  const numbers = new Map<Regular, number>([[language, 0]])
  const states: State[] = []
  for (const state of numbers.keys()) {
    const targets = new Map<Regular, Array<readonly [number, number]>>()
    for (const [from, to] of intervals(state)) {
      const target = regulars.after(state, from)
      if (target.kind === 'nothing') continue
      targets.set(target, [...(targets.get(target) ?? []), [from, to]])
    }
    const edges = [...targets].map(([target, ranges]) => {
      if (!numbers.has(target)) numbers.set(target, numbers.size)
      return { chars: charSet(ranges), to: numbers.get(target)! }
    })
    if (numbers.size > MAX_STATES) throw new TooComplex()
    states.push({ accepts: state.nullable, edges })
  }
  return withoutDeadEnds(states)
}

/** Yields the character ranges that the language does not distinguish further. */
function* intervals(state: Regular): Generator<readonly [number, number]> {
  const cuts = new Set<number>(textChars.flatMap(([from, to]) => [from, to + 1]))
  addCuts(state, cuts)
  const sorted = [...cuts].sort((left, right) => left - right)
  for (const [index, from] of sorted.entries()) {
    if (hasChar(textChars, from)) yield [from, (sorted[index + 1] ?? from + 1) - 1]
  }
}

function withoutDeadEnds(states: readonly State[]): Automaton {
  const sources: number[][] = states.map(() => [])
  for (const [from, { edges }] of states.entries()) for (const { to } of edges) sources[to]!.push(from)
  const alive = new Set<number>()
  const open = states.flatMap(({ accepts }, index) => (accepts ? [index] : []))
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (alive.has(state)) continue
    alive.add(state)
    open.push(...sources[state]!)
  }
  if (!alive.has(0)) return []
  const numbers = new Map([...alive].sort((left, right) => left - right).map((old, index) => [old, index]))
  return [...numbers.keys()].map((old) => ({
    accepts: states[old]!.accepts,
    edges: states[old]!.edges.flatMap(({ chars, to }) =>
      numbers.has(to) ? [{ chars, to: numbers.get(to)! }] : [],
    ),
  }))
}
