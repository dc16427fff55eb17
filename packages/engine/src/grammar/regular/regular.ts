import { type CharSet, charsMatching, charsOf, hasChar, isKnownEscape, textChars } from './char-set.ts'

/**
 * A regular language of texts. Languages of the same form are the same object, so `id` identifies them. Intersection and
 * complement are available because automata are built from derivatives (Brzozowski, 1964).
 */
export type Regular = { readonly id: number; readonly nullable: boolean } & Shape

type Shape =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'chars'; readonly chars: CharSet }
  | { readonly kind: 'sequence'; readonly first: Regular; readonly rest: Regular }
  | { readonly kind: 'either'; readonly parts: readonly Regular[] }
  | { readonly kind: 'both'; readonly parts: readonly Regular[] }
  | { readonly kind: 'not'; readonly part: Regular }
  | { readonly kind: 'repeat'; readonly part: Regular; readonly least: number; readonly most: number }
  | MultipleShape

/** The remaining digits of a multiple of `divisor` / 10^`scale`. `place` counts the digits after the point; it is -1 before it. */
interface MultipleShape {
  readonly kind: 'multiple'
  readonly divisor: number
  readonly scale: number
  readonly remainder: number
  readonly place: number
}

/** The limits of the work on one grammar; beyond them it counts as too complex. */
const MAX_NODES = 200_000
const MAX_DERIVATIONS = 400_000
/** The most characters that are matched with languages. */
const MAX_STEPS = 2_000_000
/** The most new escapes such as `\p{L}`, each of which tests every character of Unicode. */
const MAX_NEW_ESCAPES = 10

/** A language exceeds the work limit of a request. */
export class TooComplex extends Error {
  override readonly name = 'TooComplex'
}

/** Creates the languages of one grammar and limits the work on them. */
export class Regulars {
  readonly #known = new Map<string, Regular>()
  readonly #steps = new Map<Regular, Map<number, Regular>>()
  #derivations = 0
  #stepCount = 0
  #newEscapes = 0
  readonly nothing = this.#make('0', { kind: 'nothing' }, false)
  readonly empty = this.#make('1', { kind: 'empty' }, true)
  readonly anyChar = this.chars(textChars)
  readonly anything = this.repeat(this.anyChar, 0, Infinity)

  #make(key: string, shape: Shape, nullable: boolean): Regular {
    const known = this.#known.get(key)
    if (known) return known
    if (this.#known.size > MAX_NODES) throw new TooComplex()
    const made = { ...shape, id: this.#known.size, nullable }
    this.#known.set(key, made)
    return made
  }

  chars(chars: CharSet): Regular {
    return chars.length === 0
      ? this.nothing
      : this.#make(`c${chars.join(';')}`, { kind: 'chars', chars }, false)
  }

  /** Returns the characters of an escape. @throws SyntaxError, TooComplex */
  charsMatching(escape: string): CharSet {
    if (!isKnownEscape(escape) && ++this.#newEscapes > MAX_NEW_ESCAPES) throw new TooComplex()
    return charsMatching(escape)
  }

  text(text: string): Regular {
    return this.sequence(...[...text].map((char) => this.chars(charsOf(char))))
  }

  sequence(...parts: readonly Regular[]): Regular {
    return parts.reduceRight((rest, first) => this.#pair(first, rest), this.empty)
  }

  #pair(first: Regular, rest: Regular): Regular {
    if (first.kind === 'nothing' || rest.kind === 'nothing') return this.nothing
    if (first.kind === 'empty') return rest
    if (rest.kind === 'empty') return first
    if (first.kind === 'sequence') return this.#pair(first.first, this.#pair(first.rest, rest))
    const nullable = first.nullable && rest.nullable
    return this.#make(`s${first.id},${rest.id}`, { kind: 'sequence', first, rest }, nullable)
  }

  either(...parts: readonly Regular[]): Regular {
    const flat = distinct(parts.flatMap((part) => (part.kind === 'either' ? part.parts : [part])))
    if (flat.includes(this.anything)) return this.anything
    const some = flat.filter((part) => part.kind !== 'nothing')
    if (some.length < 2) return some[0] ?? this.nothing
    const nullable = some.some((part) => part.nullable)
    return this.#make(`e${some.map(({ id }) => id).join()}`, { kind: 'either', parts: some }, nullable)
  }

  both(...parts: readonly Regular[]): Regular {
    const flat = distinct(parts.flatMap((part) => (part.kind === 'both' ? part.parts : [part])))
    if (flat.includes(this.nothing)) return this.nothing
    const some = flat.filter((part) => part !== this.anything)
    if (some.length < 2) return some[0] ?? this.anything
    const nullable = some.every((part) => part.nullable)
    return this.#make(`b${some.map(({ id }) => id).join()}`, { kind: 'both', parts: some }, nullable)
  }

  not(part: Regular): Regular {
    if (part.kind === 'not') return part.part
    return part.kind === 'nothing'
      ? this.anything
      : this.#make(`n${part.id}`, { kind: 'not', part }, !part.nullable)
  }

  repeat(part: Regular, least: number, most: number): Regular {
    if (most === 0 || part.kind === 'empty') return this.empty
    if (part.kind === 'nothing') return least === 0 ? this.empty : this.nothing
    if (least === 1 && most === 1) return part
    const from = part.nullable ? 0 : least
    return this.#make(`r${part.id},${from},${most}`, { kind: 'repeat', part, least: from, most }, from === 0)
  }

  optional(part: Regular): Regular {
    return this.repeat(part, 0, 1)
  }

  /** The multiples of `divisor` / 10^`scale` in decimal digits, optionally with a sign and a fraction. */
  multiple(divisor: number, scale: number, remainder = 0, place = -1): Regular {
    const nullable = (remainder * 10 ** (scale - Math.max(place, 0))) % divisor === 0
    const key = `m${divisor},${scale},${remainder},${place}`
    return this.#make(key, { kind: 'multiple', divisor, scale, remainder, place }, nullable)
  }

  /** Returns the derivative: what may follow `char` in texts of the language. */
  after(of: Regular, char: number): Regular {
    if (++this.#derivations > MAX_DERIVATIONS) throw new TooComplex()
    switch (of.kind) {
      case 'nothing':
      case 'empty':
        return this.nothing
      case 'chars':
        return hasChar(of.chars, char) ? this.empty : this.nothing
      case 'sequence': {
        const first = this.#pair(this.after(of.first, char), of.rest)
        return of.first.nullable ? this.either(first, this.after(of.rest, char)) : first
      }
      case 'either':
        return this.either(...of.parts.map((part) => this.after(part, char)))
      case 'both':
        return this.both(...of.parts.map((part) => this.after(part, char)))
      case 'not':
        return this.not(this.after(of.part, char))
      case 'repeat': {
        const rest = this.repeat(of.part, Math.max(0, of.least - 1), of.most - 1)
        return this.#pair(this.after(of.part, char), rest)
      }
      case 'multiple':
        return this.#afterDigit(of, char)
    }
  }

  /**
   * Reports whether a text is in the language. Clients choose both, and `RegExp` could backtrack for hours.
   * @throws TooComplex
   */
  matches(language: Regular, text: string): boolean {
    let rest = language
    for (const char of text) {
      if (++this.#stepCount > MAX_STEPS) throw new TooComplex()
      rest = this.#step(rest, char.codePointAt(0)!)
      if (rest.kind === 'nothing') return false
    }
    return rest.nullable
  }

  #step(from: Regular, char: number): Regular {
    const known = this.#steps.get(from) ?? new Map<number, Regular>()
    this.#steps.set(from, known)
    const next = known.get(char) ?? this.after(from, char)
    known.set(char, next)
    return next
  }

  #afterDigit({ divisor, scale, remainder, place }: MultipleShape, char: number): Regular {
    if (char === 0x2d && remainder === 0 && place === -1) return this.multiple(divisor, scale)
    if (char === 0x2e && place === -1 && scale > 0) return this.multiple(divisor, scale, remainder, 0)
    const digit = char - 0x30
    if (digit < 0 || digit > 9 || place === scale) return this.nothing
    return this.multiple(divisor, scale, (remainder * 10 + digit) % divisor, place === -1 ? -1 : place + 1)
  }
}

const distinct = (parts: readonly Regular[]): readonly Regular[] =>
  [...new Set(parts)].sort((left, right) => left.id - right.id)

/** Adds the boundaries of the character sets that distinguish the first characters of texts. */
export function addCuts(of: Regular, cuts: Set<number>): void {
  switch (of.kind) {
    case 'chars':
      for (const [from, to] of of.chars) cuts.add(from).add(to + 1)
      return
    case 'sequence':
      addCuts(of.first, cuts)
      return of.first.nullable ? addCuts(of.rest, cuts) : undefined
    case 'either':
    case 'both':
      return of.parts.forEach((part) => addCuts(part, cuts))
    case 'not':
    case 'repeat':
      return addCuts(of.part, cuts)
    case 'multiple':
      for (let code = 0x2d; code <= 0x3a; code++) cuts.add(code)
      return
    default:
  }
}
