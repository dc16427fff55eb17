import { longestMatch } from './prompt-lookup.ts'

/** A guess after a match of this many tokens up to the next bound, and how often it is right in texts of all kinds. */
const classes: readonly { readonly from: number; readonly usual: number }[] = [
  { from: 2, usual: 0.25 },
  { from: 3, usual: 0.4 },
  { from: 4, usual: 0.5 },
  { from: 6, usual: 0.65 },
  { from: 9, usual: 0.8 },
  { from: 14, usual: 0.88 },
  { from: 24, usual: 0.94 },
  { from: 48, usual: 0.97 },
]

/** What is usual counts like this many guesses. */
const usualWeight = 4

/** With each guess, the earlier ones of its class count this much less: about the last 25 decide. */
const memory = 0.96

/**
 * How often guesses are right, by the length of the match behind them, learnt from every token of an answer, also from those
 * that were not drafted: comparing a guess with the token that came costs nothing. Quotations are right nearly always, however
 * long; the same short match in free text is right now and then.
 */
export class Acceptance {
  readonly #guesses = new Float64Array(classes.length)
  readonly #right = new Float64Array(classes.length)

  note(matched: number, isRight: boolean): void {
    const index = classOf(matched)
    if (index < 0) return
    this.#guesses[index] = this.#guesses[index]! * memory + 1
    this.#right[index] = this.#right[index]! * memory + (isRight ? 1 : 0)
  }

  /** Returns the probability that a guess after such a match is right. */
  rate(matched: number): number {
    const index = classOf(matched)
    if (index < 0) return 0
    return (this.#right[index]! + classes[index]!.usual * usualWeight) / (this.#guesses[index]! + usualWeight)
  }

  /** Returns, for each of `count` drafts, the probability that it and those before it are right. */
  survival(matched: number, count: number): Float64Array {
    const rates = classes.map((_, index) => this.#rateOf(index))
    const survival = new Float64Array(count)
    let probability = 1
    for (let i = 0; i < count; i++) {
      probability *= rates[classOf(matched + i)] ?? 0
      survival[i] = probability
    }
    return survival
  }

  #rateOf(index: number): number {
    const usual = classes[index]?.usual
    if (usual === undefined) return 0
    return (this.#right[index]! + usual * usualWeight) / (this.#guesses[index]! + usualWeight)
  }
}

/** By length of the match, up to the longest: its place in `classes`. */
const places = Int8Array.from({ length: longestMatch + 1 }, (_, matched) =>
  classes.findLastIndex(({ from }) => from <= matched),
)

/** Returns the place in `classes`; -1 for none. */
const classOf = (matched: number): number => places[Math.min(matched, longestMatch)]!

/** How often the guesses of a draft model are right, before any was checked. */
export const usualOfModels = 0.6

/** With each guess of a model, the earlier ones count this much less: about the last 100 decide. */
const memoryOfModels = 0.99

/** What is usual counts like this many guesses of a model; what may be hoped for, like this many right ones. */
const usualWeightOfModels = 2
const hopeWeight = 8

/** With each round without drafts of the model, what was learnt of them counts this much less: the text may be another by now. */
const resting = 0.99

/** How often the guesses of a model are right in this text, learnt from those that were checked. */
export class ModelAcceptance {
  readonly #usual: () => number
  #guesses = 0
  #right = 0

  /** @param usual - how often they are right in other texts */
  constructor(usual: () => number) {
    this.#usual = usual
  }

  /** The probability that the next guess is right. */
  get rate(): number {
    return (this.#right + this.#usual() * usualWeightOfModels) / (this.#guesses + usualWeightOfModels)
  }

  note(isRight: boolean): void {
    this.#guesses = this.#guesses * memoryOfModels + 1
    this.#right = this.#right * memoryOfModels + (isRight ? 1 : 0)
  }

  /** A round passed without a guess. */
  rest(): void {
    this.#guesses *= resting
    this.#right *= resting
  }

  /** Returns, for each of `count` drafts, the probability that it and those before it are right. */
  survival(count: number): Float64Array {
    return powersOf(this.rate, count)
  }

  /** Returns the same for the best that may still be, given how few were checked lately. */
  hope(count: number): Float64Array {
    return powersOf((this.#guesses * this.rate + hopeWeight) / (this.#guesses + hopeWeight), count)
  }
}

const powersOf = (rate: number, count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => rate ** (i + 1))
