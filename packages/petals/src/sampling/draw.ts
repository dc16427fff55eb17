import type { TokenId } from '@petals-chat/engine'
import { stretchTokens, type Logits } from '../tensor/logits.ts'
import type { Filter } from './filters.ts'
import { gumbelBits, gumbelCeiling, gumbelOf, type GumbelKey } from './gumbel.ts'
import { byRank, endOf, type RankedToken } from './ranking.ts'

/** What a draw depends on besides the logits. */
export interface Draw {
  readonly temperature: number
  readonly best: RankedToken
  readonly key: GumbelKey
}

/** No token's number is larger. */
const mostNoise = gumbelCeiling(0)

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
  const { ceilings, size } = logits
  const { key, best } = draw
  const candidates: Candidate[] = []
  let highestLower = noiseOf(key, best.token)
  for (let stretch = 0; stretch < ceilings.length; stretch++) {
    const top = ceilings[stretch]!
    if (!(top >= lowest)) continue
    const most = scaled(top, draw)
    if (most + mostNoise < highestLower) continue
    const end = endOf(stretch, size)
    for (let token = stretch * stretchTokens; token < end; token++) {
      const bits = gumbelBits(key, token)
      // With so little noise, not even the best token of the stretch could win.
      if (most + gumbelCeiling(bits) < highestLower) continue
      const estimate = logits.estimate(token)
      const margin = logits.margin(token)
      if (!(estimate + margin >= lowest)) continue
      const noise = gumbelOf(bits)
      const ceiling = scaled(estimate + margin, draw) + noise
      if (ceiling < highestLower) continue
      candidates.push({ token, noise, ceiling })
      const lower = estimate - margin
      if (lower > lowest) highestLower = Math.max(highestLower, scaled(lower, draw) + noise)
    }
  }
  return candidates
}
