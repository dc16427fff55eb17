import type { CharRange } from '../gbnf/costly-part.ts'

/** A table of the next node for each byte. */
export type ByteTable = Int32Array

/** In tables: no character of the class continues with this byte, or the character is complete. */
export const DEAD = 0
export const DONE = 1

/** Any one, two or three continuation bytes are left. */
const anyRest = [DONE, 2, 3, 4] as const

/** Valid code points by the length of their UTF-8 form: overlong forms and surrogates are not. */
const lengths: readonly (readonly CharRange[])[] = [
  [[0, 0x7f]],
  [[0x80, 0x7ff]],
  [
    [0x800, 0xd7ff],
    [0xe000, 0xffff],
  ],
  [[0x10000, 0x10ffff]],
]

/** Returns the valid code points of the ranges, sorted and joined. */
export function validRanges(ranges: readonly CharRange[]): readonly CharRange[] {
  const valid = lengths.flat().flatMap((allowed) => ranges.flatMap((range) => overlap(range, allowed)))
  const joined: [number, number][] = []
  for (const [from, to] of valid.sort(([left], [right]) => left - right)) {
    const last = joined.at(-1)
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined
}

function overlap(left: CharRange, right: CharRange): readonly CharRange[] {
  const [from, to] = [Math.max(left[0], right[0]), Math.min(left[1], right[1])]
  return from <= to ? [[from, to]] : []
}

/**
 * The classes of characters of one grammar as automata over UTF-8 bytes. All classes share the nodes; node ids of different
 * classes may be the same where the rest of the character is.
 */
export class ByteClasses {
  readonly #tables: ByteTable[] = [new Int32Array(256), new Int32Array(256)]
  readonly #known = new Map<string, number>()

  constructor() {
    for (let rest = 1; rest <= 3; rest++)
      this.#tables.push(new Int32Array(256).fill(anyRest[rest - 1]!, 0x80, 0xc0))
  }

  /** The nodes made so far, each of which takes 1 KiB. */
  get nodes(): number {
    return this.#tables.length
  }

  /** Returns the node at which characters of the (valid) ranges begin. */
  startOf(ranges: readonly CharRange[]): number {
    const key = ranges.join(';')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const table = new Int32Array(256)
    for (const [from, to] of parts(ranges, 1)) table.fill(DONE, from, to + 1)
    this.#addLeads(table, parts(ranges, 2), { first: 0xc0, count: 32, rest: 1 })
    this.#addLeads(table, parts(ranges, 3), { first: 0xe0, count: 16, rest: 2 })
    this.#addLeads(table, parts(ranges, 4), { first: 0xf0, count: 8, rest: 3 })
    const node = this.#add(table)
    this.#known.set(key, node)
    return node
  }

  /** Returns the node after a byte, `DEAD` or `DONE`. */
  next(node: number, byte: number): number {
    return this.#tables[node]![byte]!
  }

  /** Returns the only byte with which a node continues; -1 if there are several. */
  onlyByte(node: number): number {
    const table = this.#tables[node]!
    const first = table.findIndex((next) => next !== DEAD)
    return table.findLastIndex((next) => next !== DEAD) === first ? first : -1
  }

  #addLeads(
    table: ByteTable,
    ranges: readonly CharRange[],
    { first, count, rest }: { readonly first: number; readonly count: number; readonly rest: number },
  ): void {
    if (ranges.length === 0) return
    for (let bits = 0; bits < count; bits++) table[first + bits] = this.#nodeOf(bits, rest, ranges)
  }

  /** Returns the node for characters whose first bytes give `bits`, with `rest` continuation bytes to come. */
  #nodeOf(bits: number, rest: number, ranges: readonly CharRange[]): number {
    const [from, to] = [bits << (6 * rest), ((bits + 1) << (6 * rest)) - 1]
    const inside = ranges.flatMap((range) => overlap(range, [from, to]))
    if (inside.length === 0) return DEAD
    if (inside[0]![0] === from && inside[0]![1] === to) return anyRest[rest]!
    const table = new Int32Array(256)
    for (let next = 0; next < 64; next++)
      table[0x80 + next] = this.#nodeOf((bits << 6) | next, rest - 1, inside)
    return this.#add(table)
  }

  #add(table: ByteTable): number {
    return this.#tables.push(table) - 1
  }
}

const parts = (ranges: readonly CharRange[], length: number): readonly CharRange[] =>
  lengths[length - 1]!.flatMap((allowed) => ranges.flatMap((range) => overlap(range, allowed)))
