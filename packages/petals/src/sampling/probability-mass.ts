import type { Logits } from '../tensor/logits.ts'
import { byRank, exactRanking, tokensBetween, type RankedToken } from './ranking.ts'

/** Each step extends the ranking by this factor, in units of the temperature, and at least by `reachStep`. */
const reachFactor = 1.5
const reachStep = 1
/** Beyond this (exp(-60) of the best weight) all logits are computed exactly. Only ties at a limit of a filter come here. */
const furthestReach = 60

/** Relative error of sums in float64. */
const sumSlack = 1e-12

/** Sums of exp((logit - best) / temperature) over tokens whose logits are known only within bounds. */
interface WeightBounds {
  lower: number
  upper: number
  /** By the estimates of the logits; nearly always within 0.1 % of the true sum. */
  estimate: number
}

/**
 * Probabilities, computed as far as they are needed: the most probable tokens exactly, and bounds for the sum of the others.
 * `deepen` ranks more tokens exactly. Weights are exp((logit - best) / temperature); a probability is a weight divided by the
 * sum of all weights.
 */
export class ProbabilityMass {
  readonly #logits: Logits
  readonly #temperature: number
  readonly #best: RankedToken
  /** All tokens with at least this logit are ranked. */
  #floor = Infinity
  #rest: WeightBounds
  /** Tokens with exact logits, best first. */
  #ranked: RankedToken[] = []
  /** The sum of the weights before each entry of `ranked`; the last element is the sum of all. */
  #sums = new Float64Array(1)

  constructor(logits: Logits, temperature: number, best: RankedToken) {
    this.#logits = logits
    this.#temperature = temperature
    this.#best = best
    this.#rest = this.#boundsOfAll()
  }

  /** All tokens are ranked by exact logits. */
  get isComplete(): boolean {
    return this.#floor === -Infinity
  }
  /** Bounds on the sum of all weights, and its estimate. */
  get totalLower(): number {
    return this.#rankedWeight() + this.#rest.lower
  }
  get totalUpper(): number {
    return this.#rankedWeight() + this.#rest.upper
  }
  get totalEstimate(): number {
    return this.#rankedWeight() + this.#rest.estimate
  }

  weightOf(logit: number): number {
    return logit >= this.#best.logit ? 1 : Math.exp((logit - this.#best.logit) / this.#temperature)
  }

  /** Returns the sum of the weights of the tokens ranked before this one. Call `deepenTo` with its logit first. */
  weightAbove(candidate: RankedToken): number {
    let low = 0
    let high = this.#ranked.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (byRank(this.#ranked[middle]!, candidate) < 0) low = middle + 1
      else high = middle
    }
    return this.#sums[low]!
  }

  /** Ranks further tokens, one step down. */
  deepen(): void {
    const reach = this.#floor === Infinity ? 0 : (this.#best.logit - this.#floor) / this.#temperature
    const next = Math.max(reach * reachFactor, reach + reachStep)
    this.deepenTo(next > furthestReach ? -Infinity : this.#best.logit - next * this.#temperature)
  }

  /** Ranks all tokens with a logit of at least `floor`. */
  deepenTo(floor: number): void {
    if (!(floor < this.#floor)) return
    const tokens = tokensBetween(this.#logits, floor, this.#floor)
    this.#floor = floor
    if (this.isComplete) this.#rest = { lower: 0, upper: 0, estimate: 0 }
    else this.#takeFromRest(tokens)
    this.#ranked = [...this.#ranked, ...exactRanking(this.#logits, tokens)].sort(byRank)
    this.#sums = new Float64Array(this.#ranked.length + 1)
    this.#ranked.forEach(({ logit }, i) => (this.#sums[i + 1] = this.#sums[i]! + this.weightOf(logit)))
  }

  #rankedWeight(): number {
    return this.#sums[this.#ranked.length]!
  }

  #boundsOfAll(): WeightBounds {
    const { size } = this.#logits
    const all = { lower: 0, upper: 0, estimate: 0 }
    for (let token = 0; token < size; token++) this.#add(all, token, 1)
    return { lower: all.lower * (1 - sumSlack), upper: all.upper * (1 + sumSlack), estimate: all.estimate }
  }

  /** Adds a token's weight to the sums, or subtracts it. */
  #add(sums: WeightBounds, token: number, sign: 1 | -1): void {
    const margin = this.#logits.margin(token)
    const upper = this.weightOf(this.#logits.estimate(token) + margin)
    const narrower = Math.exp(-margin / this.#temperature)
    sums.upper += sign * upper
    sums.estimate += sign * upper * narrower
    sums.lower += sign * upper * narrower * narrower
  }

  #takeFromRest(tokens: readonly number[]): void {
    const { lower, upper, estimate } = this.#rest
    const rest = { lower, upper, estimate }
    for (const token of tokens) this.#add(rest, token, -1)
    // Rounding may leave a negative sum when no token is left.
    this.#rest = {
      lower: Math.max(0, rest.lower),
      upper: Math.max(0, rest.upper),
      estimate: Math.max(0, rest.estimate),
    }
  }
}
