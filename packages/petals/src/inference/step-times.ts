import type { PeerId } from '../p2p/peer-id.ts'

/** Steps of one size class that are remembered for each server. */
const windowLength = 128

/** A server is late when it takes this many times as long as the slowest of 99 in 100 of its steps of that size. */
const patience = 6

/** Milliseconds. The first few steps of a server say little. */
const minDeadlineMs = 2000
const minDeadlineOfFewMs = 4000
const fewSamples = 5
const unknownDeadlineMs = 8000
/**
 * For one token, unless the server was always slower or says so itself: a server that gets slower with each step must not
 * hold an answer.
 */
const maxDecodeDeadlineMs = 30_000
/** How far the time that follows from an announced speed is believed for one token. */
const claimPatience = 2
/** `request_timeout` of the reference client. */
const defaultMaxDeadlineMs = 180_000

/** Servers that are remembered. */
const maxPeers = 1024

export interface DeadlineOptions {
  readonly claimedMs?: number | undefined
  readonly scale?: number | undefined
}

/** How long the steps of servers took, for all sessions of a model: what to expect, and when to stop waiting. */
export class StepTimes {
  /** By peer, then by size class: steps of 2^(k-1)+1 … 2^k tokens are of class k. */
  readonly #windows = new Map<PeerId, Map<number, number[]>>()
  readonly #maxDeadlineMs: number

  constructor(maxDeadlineMs = defaultMaxDeadlineMs) {
    this.#maxDeadlineMs = maxDeadlineMs
  }

  record(peer: PeerId, tokens: number, ms: number): void {
    const classes = this.#windows.get(peer) ?? new Map<number, number[]>()
    const window = classes.get(classOf(tokens)) ?? []
    window.push(ms)
    if (window.length > windowLength) window.shift()
    this.#windows.delete(peer)
    this.#windows.set(peer, classes.set(classOf(tokens), window))
    const [oldest] = this.#windows.keys()
    if (this.#windows.size > maxPeers && oldest !== undefined) this.#windows.delete(oldest)
  }

  /** Notes how long it took to open a session on the server. */
  recordOpening(peer: PeerId, ms: number): void {
    this.record(peer, opening, ms)
  }

  /** Returns how long to wait for an opening: `timeoutMs` for a server that is new, less for one that was quick before. */
  openingDeadlineMs(peer: PeerId, timeoutMs: number, scale = 1): number {
    const window = this.#windows.get(peer)?.get(classOf(opening))
    return window
      ? Math.min(Math.max(minDeadlineMs, patience * quantileOf(window, 0.99)) * scale, timeoutMs)
      : timeoutMs
  }

  /** Returns the median time of a step of this size; undefined if nothing is known about the server. */
  expectedMs(peer: PeerId, tokens: number): number | undefined {
    return this.#estimate(peer, tokens, 0.5)?.ms
  }

  /** Returns the median time of a decode step; undefined before the first. */
  decodeMs(peer: PeerId): number | undefined {
    const window = this.#windows.get(peer)?.get(classOf(1))
    return window && quantileOf(window, 0.5)
  }

  /**
   * Returns how long to wait for a step of this size. `claimedMs` is the time that follows from the speed the server
   * announces; it counts only until something better is known. `scale` grows when deadlines have passed: perhaps all servers
   * are slow.
   */
  deadlineMs(peer: PeerId, tokens: number, { claimedMs = 0, scale = 1 }: DeadlineOptions = {}): number {
    const estimate = this.#estimate(peer, tokens, 0.99)
    const deadlineMs = estimate
      ? Math.max(estimate.samples < fewSamples ? minDeadlineOfFewMs : minDeadlineMs, patience * estimate.ms)
      : Math.max(unknownDeadlineMs, patience * claimedMs)
    const mostMs = tokens === 1 ? this.#mostForOneToken(peer, claimedMs) : Infinity
    return Math.min(Math.min(deadlineMs, mostMs) * scale, this.#maxDeadlineMs)
  }

  /** The fastest step counts: that is the one that a server can't make up for by being slower later. */
  #mostForOneToken(peer: PeerId, claimedMs: number): number {
    const window = this.#windows.get(peer)?.get(classOf(1))
    const usualMs = window ? patience * Math.min(...window) : claimPatience * claimedMs
    return Math.max(maxDecodeDeadlineMs, usualMs)
  }

  /** From steps of that size; or else from smaller ones, as if time grew with the tokens; or else from larger ones. */
  #estimate(
    peer: PeerId,
    tokens: number,
    quantile: number,
  ): { readonly ms: number; readonly samples: number } | undefined {
    const classes = this.#windows.get(peer)
    if (!classes) return undefined
    const wanted = classOf(tokens)
    const known = [...classes.keys()].filter((size) => size >= 0).sort((a, b) => a - b)
    const nearest = known.findLast((size) => size <= wanted) ?? known[0]
    if (nearest === undefined) return undefined
    const window = classes.get(nearest)!
    const ms = quantileOf(window, quantile) * 2 ** Math.max(0, wanted - nearest)
    return { ms, samples: nearest === wanted ? window.length : 0 }
  }
}

/** Stands for the number of tokens of an opening. */
const opening = 0

const classOf = (tokens: number): number => (tokens === opening ? -1 : Math.ceil(Math.log2(tokens)))

function quantileOf(values: readonly number[], quantile: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(Math.floor(quantile * sorted.length), sorted.length - 1)]!
}
