/** Returns a random number from 0 to below 1. */
export type Random = () => number

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'class'; readonly ranges: ReadonlyArray<readonly [number, number]> }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'either'; readonly parts: readonly Node[] }
  | { readonly kind: 'row'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly least: number; readonly most: number }

const LAST = 0x10ffff

/** Draws random texts from a GBNF grammar that the compiler wrote. */
export class GbnfSampler {
  readonly #rules: ReadonlyMap<string, Node>
  /** For each rule, the number of rules that its shortest text needs. */
  readonly #costs: ReadonlyMap<string, number>

  constructor(source: string) {
    this.#rules = new Map(
      source
        .split('\n')
        .filter((line) => line.includes('::='))
        .map((line) => {
          const [name, body] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf('::=') + 3)]
          return [name, new BodyReader(body).read()] as const
        }),
    )
    this.#costs = costsOf(this.#rules)
  }

  /** Draws a text. When `budget` rules have been used, the text takes the shortest way to its end. */
  sample(random: Random, budget = 60): string {
    let left = budget
    const write = (node: Node): string => {
      switch (node.kind) {
        case 'text':
          return node.text
        case 'class':
          return pick(node.ranges, random)
        case 'rule':
          left--
          return write(this.#rules.get(node.name)!)
        case 'row':
          return node.parts.map(write).join('')
        case 'either':
          return write(left > 0 ? this.#anyOf(node.parts, random) : this.#shortest(node.parts))
        case 'repeat': {
          const more = left > 0 ? Math.floor(random() * Math.min(4, node.most - node.least + 1)) : 0
          return Array.from({ length: node.least + more }, () => write(node.part)).join('')
        }
      }
    }
    return write(this.#rules.get('root')!)
  }

  /** Picks any alternative that can end. */
  #anyOf(parts: readonly Node[], random: Random): Node {
    const ways = parts.filter((part) => costOf(part, this.#costs) < Infinity)
    return ways[Math.floor(random() * ways.length)]!
  }

  #shortest(parts: readonly Node[]): Node {
    return parts.reduce((best, part) => (costOf(part, this.#costs) < costOf(best, this.#costs) ? part : best))
  }
}

function costsOf(rules: ReadonlyMap<string, Node>): ReadonlyMap<string, number> {
  const costs = new Map([...rules.keys()].map((name) => [name, Infinity]))
  for (let changed = true; changed;) {
    changed = false
    for (const [name, node] of rules) {
      const cost = 1 + costOf(node, costs)
      if (cost >= costs.get(name)!) continue
      costs.set(name, cost)
      changed = true
    }
  }
  return costs
}

function costOf(node: Node, costs: ReadonlyMap<string, number>): number {
  switch (node.kind) {
    case 'text':
      return 0
    case 'class':
      return node.ranges.length === 0 ? Infinity : 0
    case 'rule':
      return costs.get(node.name)!
    case 'either':
      return Math.min(...node.parts.map((part) => costOf(part, costs)))
    case 'row':
      return node.parts.reduce((sum, part) => sum + costOf(part, costs), 0)
    case 'repeat':
      return node.least === 0 ? 0 : node.least * costOf(node.part, costs)
  }
}

function pick(ranges: ReadonlyArray<readonly [number, number]>, random: Random): string {
  // Letters are more likely than the many other characters, because schemas are mostly about letters.
  const near = ranges.filter(([from]) => from < 0x80)
  const from = near.length > 0 && random() < 0.9 ? near : ranges
  const [low, high] = from[Math.floor(random() * from.length)]!
  const top = from === near ? Math.min(high, 0x7e) : high
  const code = low + Math.floor(random() * (Math.max(low, top) - low + 1))
  return String.fromCodePoint(code >= 0xd800 && code <= 0xdfff ? low : code)
}

class BodyReader {
  readonly #source: string
  #position = 0

  constructor(source: string) {
    this.#source = source
  }

  read(): Node {
    const node = this.#either()
    if (this.#position < this.#source.length)
      throw new Error(`not read: ${this.#source.slice(this.#position)}`)
    return node
  }

  #either(): Node {
    const parts = [this.#row()]
    while (this.#take('|')) parts.push(this.#row())
    return parts.length === 1 ? parts[0]! : { kind: 'either', parts }
  }

  #row(): Node {
    const parts: Node[] = []
    for (;;) {
      this.#space()
      const part = this.#element()
      if (!part) return { kind: 'row', parts }
      parts.push(part)
    }
  }

  #element(): Node | undefined {
    const part = this.#atom()
    if (!part) return undefined
    const counts = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})/.exec(this.#source.slice(this.#position))
    if (!counts) return part
    this.#position += counts[0].length
    const [, sign, least, comma, most] = counts
    if (sign) return { kind: 'repeat', part, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Infinity }
    return {
      kind: 'repeat',
      part,
      least: Number(least),
      most: most ? Number(most) : comma ? Infinity : Number(least),
    }
  }

  #atom(): Node | undefined {
    if (this.#take('(')) {
      const node = this.#either()
      if (!this.#take(')')) throw new Error('a bracket is not closed')
      return node
    }
    if (this.#take('"'))
      return {
        kind: 'text',
        text: this.#until('"')
          .map((code) => String.fromCodePoint(code))
          .join(''),
      }
    if (this.#take('[')) return this.#class()
    const name = /^[a-zA-Z0-9-]+/.exec(this.#source.slice(this.#position))?.[0]
    if (name === undefined) return undefined
    this.#position += name.length
    return { kind: 'rule', name }
  }

  #class(): Node {
    const isNegated = this.#source[this.#position] === '^'
    if (isNegated) this.#position++
    const codes = this.#until(']', true)
    const ranges: Array<[number, number]> = []
    for (let index = 0; index < codes.length; index++) {
      const isRange = codes[index + 1] === -1 && index + 2 < codes.length
      ranges.push([codes[index]!, isRange ? codes[index + 2]! : codes[index]!])
      if (isRange) index += 2
    }
    const plain = ranges.map(([from, to]): [number, number] => [
      from === -1 ? 0x2d : from,
      to === -1 ? 0x2d : to,
    ])
    return { kind: 'class', ranges: isNegated ? inverse(plain) : plain }
  }

  /** Reads code points up to the end; an unescaped dash of a class is -1. */
  #until(end: string, isClass = false): number[] {
    const codes: number[] = []
    for (;;) {
      const code = this.#source.codePointAt(this.#position)
      if (code === undefined) throw new Error('no end')
      const char = String.fromCodePoint(code)
      this.#position += char.length
      if (char === end) return codes
      if (char === '\\') codes.push(this.#escape())
      else codes.push(isClass && char === '-' ? -1 : code)
    }
  }

  #escape(): number {
    const letter = this.#source[this.#position++]!
    const lengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }
    const length = lengths[letter]
    if (length === undefined)
      return ({ t: 9, r: 13, n: 10 } as Readonly<Record<string, number>>)[letter] ?? letter.charCodeAt(0)
    const digits = this.#source.slice(this.#position, this.#position + length)
    this.#position += length
    return parseInt(digits, 16)
  }

  #space(): void {
    while (this.#source[this.#position] === ' ') this.#position++
  }

  #take(char: string): boolean {
    this.#space()
    if (this.#source[this.#position] !== char) return false
    this.#position++
    return true
  }
}

function inverse(ranges: ReadonlyArray<readonly [number, number]>): Array<readonly [number, number]> {
  const rest: Array<readonly [number, number]> = []
  let next = 0
  for (const [from, to] of [...ranges].sort((left, right) => left[0] - right[0])) {
    if (from > next) rest.push([next, from - 1])
    next = Math.max(next, to + 1)
  }
  return next > LAST ? rest : [...rest, [next, LAST]]
}
