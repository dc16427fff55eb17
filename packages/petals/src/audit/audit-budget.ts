import type { ServerInfo } from '../blocks/server-info.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Spot checks may take this share of the work that servers do for this client. */
const maxShare = 0.02

/**
 * A step reads all weights, which costs as much as to compute so many tokens of a prompt. Servers announce both speeds; the
 * bounds keep a claim from making checks look free, or too dear to be made.
 */
const leastStepTokens = 25
const mostStepTokens = 200

/** A check begins with so many positions, at least: a server that always errs shows it in any of them. */
const fewestTokens = 16

/** What is saved up is bounded, so that an hour of long answers is not followed by a burst of checks. */
const mostSavedTokens = 4096

/** Where no other server can check, this many tokens pass before the next look for one. */
const pauseTokens = 64

/** Servers that are remembered, at most. */
const maxServers = 1024

interface Account {
  /** Work that may be done to check the server, in tokens of a prompt. */
  saved: number
  /** Where in the answer the next check ends: 0 the fewest positions, 1 all of them. Drawn, so that no server can know it. */
  reach: number
  /** Tokens that pass before the next check. */
  pause: number
}

/** Decides when a server is checked, and on how much of an answer. Each server's work pays for the checks of that server. */
export class AuditBudget {
  readonly #requestTokens: number
  readonly #random: () => number
  readonly #accounts = new Map<PeerId, Account>()

  /**
   * @param requestTokens tokens of one request of a check
   * @param random numbers 0 … 1
   */
  constructor(requestTokens: number, random: () => number) {
    this.#requestTokens = requestTokens
    this.#random = random
  }

  /** Notes that the server has run a step. */
  earn(peer: PeerId, server: ServerInfo, tokens: number): void {
    const account = this.#accountOf(peer)
    account.saved = Math.min(account.saved + maxShare * this.#workOf(server, tokens), mostSavedTokens)
    account.pause = Math.max(0, account.pause - tokens)
  }

  /** Returns where a check of the server ends that is due now, in an answer of `position` tokens; undefined if none is. */
  due(peer: PeerId, server: ServerInfo, position: number): number | undefined {
    const { saved, reach, pause } = this.#accountOf(peer)
    if (pause > 0 || position < fewestTokens) return undefined
    const drawn = Math.round(fewestTokens * (position / fewestTokens) ** reach)
    const end = Math.min(drawn, this.#mostPayable(server))
    return saved >= this.#workOf(server, end) ? end : undefined
  }

  /** Reports whether the checks of this server so far are paid for. */
  hasLeft(peer: PeerId): boolean {
    return this.#accountOf(peer).saved >= 0
  }

  /** Notes that the blocks of this server were computed again for so many tokens. */
  spend(peer: PeerId, server: ServerInfo, tokens: number): void {
    const account = this.#accountOf(peer)
    account.saved -= this.#workOf(server, tokens)
    account.reach = this.#random()
  }

  /** Notes that the server could not be checked. The next check may end elsewhere: here it might never be possible. */
  postpone(peer: PeerId): void {
    const account = this.#accountOf(peer)
    account.pause = pauseTokens
    account.reach = this.#random()
  }

  #accountOf(peer: PeerId): Account {
    const known = this.#accounts.get(peer)
    if (known) return known
    // A server that is new is checked early, on a part that is soon paid for.
    const account = { saved: 0, reach: this.#random() / 2, pause: 0 }
    this.#accounts.set(peer, account)
    const [oldest] = this.#accounts.keys()
    if (this.#accounts.size > maxServers && oldest !== undefined) this.#accounts.delete(oldest)
    return account
  }

  /** Returns how many tokens of a server can be checked with all that is ever saved. */
  #mostPayable(server: ServerInfo): number {
    const stepTokens = stepTokensOf(server)
    const perRequest = this.#requestTokens + stepTokens
    const requests = Math.floor(mostSavedTokens / perRequest)
    const rest = mostSavedTokens - requests * perRequest - stepTokens
    return requests * this.#requestTokens + Math.max(0, Math.floor(rest))
  }

  /** Returns the work that so many tokens are for a server, in tokens of a prompt. */
  #workOf(server: ServerInfo, tokens: number): number {
    return tokens + Math.ceil(tokens / this.#requestTokens) * stepTokensOf(server)
  }
}

/** Returns what a step costs a server besides its tokens, in tokens of a prompt. */
function stepTokensOf({ forwardRps, inferenceRps }: ServerInfo): number {
  const ratio = forwardRps !== undefined && inferenceRps !== undefined ? forwardRps / inferenceRps : 0
  return Math.min(Math.max(ratio, leastStepTokens), mostStepTokens)
}
