import type { TokenId } from '@petals-chat/engine'
import type { Logits } from '../tensor/logits.ts'
import type { Filter } from './filters.ts'
import { gumbelBits, gumbelCeiling, gumbelOf, type GumbelKey } from './gumbel.ts'
import { byRank, type RankedToken } from './ranking.ts'

/** What a draw depends on besides the logits. */
export interface Draw {
  readonly temperature: number
  readonly best: RankedToken
  readonly key: GumbelKey
}

const noiseOf = (key: GumbelKey, token: TokenId): number => gumbelOf(gumbelBits(key, token))

/** Returns (logit - best) / temperature. A logit can't be above the best, even if the end of its bound is. */
const scaled = (logit: number, { best, temperature }: Draw): number =>
  logit >= best.logit ? 0 : (logit - best.logit) / temperature

/**
 * Draws a token with the probability softmax(logits / temperature), among those that the filter allows.
 *
 * It uses the Gumbel-max trick: with independent Gumbel numbers g, the token with the highest logit / temperature + g is
 * such a draw. A draw is therefore an argmax, which needs the exact logits of very few tokens. If the filter does not allow
 * the winner, the best of the tokens ranked before it is a draw among those.
 */
export function drawToken(logits: Logits, draw: Draw, allows: Filter): TokenId {
  let before: RankedToken | undefined
  for (;;) {
    const drawn = perturbedBest(logits, draw, before)
    if (allows(drawn)) return drawn.token
    before = drawn
  }
}

interface Candidate {
  readonly token: TokenId
  readonly noise: number
  /** Upper bound of the score. */
  readonly ceiling: number
}

/** Returns the highest score among the tokens ranked before `before`, or among all. The best token is one of them. */
function perturbedBest(logits: Logits, draw: Draw, before: RankedToken | undefined): RankedToken {
  const candidates = possibleWinners(logits, draw, before?.logit ?? -Infinity)
  candidates.sort((a, b) => b.ceiling - a.ceiling)
  let winner = draw.best
  let highest = noiseOf(draw.key, winner.token)
  for (const { token, noise, ceiling } of candidates) {
    if (ceiling <= highest) break
    const candidate = { token, logit: logits.exact(token) }
    const score = scaled(candidate.logit, draw) + noise
    if (score <= highest || (before && byRank(candidate, before) >= 0)) continue
    winner = candidate
    highest = score
  }
  return winner
}

/** Returns the tokens that can have the highest score, by their bounds. */
function possibleWinners(logits: Logits, draw: Draw, lowest: number): Candidate[] {
  const { estimates, margins, size } = logits
  const { key, best, temperature } = draw
  const candidates: Candidate[] = []
  let highestLower = noiseOf(key, best.token)
  for (let token = 0; token < size; token++) {
    const upper = estimates[token]! + margins[token]!
    if (upper < lowest) continue
    const bits = gumbelBits(key, token)
    const most = upper >= best.logit ? 0 : (upper - best.logit) / temperature
    if (most + gumbelCeiling(bits) < highestLower) continue
    const noise = gumbelOf(bits)
    if (most + noise < highestLower) continue
    candidates.push({ token, noise, ceiling: most + noise })
    const lower = estimates[token]! - margins[token]!
    if (lower > lowest) highestLower = Math.max(highestLower, scaled(lower, draw) + noise)
  }
  return candidates
}
