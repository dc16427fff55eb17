import { beforeAll, describe, expect, it } from 'vitest'
import { silentMetrics, TokenGrammars, type TokenId } from '@petals-chat/engine'
import { scriptedTokenizer } from '@petals-chat/engine/testing'
import type { Drafter } from '../drafting/drafter.ts'
import { RouteTimes } from '../drafting/route-times.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import type { LocalLayers } from '../layers/local-layers.ts'
import { seededBits } from '../sampling/random.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { ExactLogits } from '../tensor/logits.ts'
import { PetalsSession } from './petals-session.ts'

/** A model of these few tokens, in which a token depends on the one before it alone. */
const tokens = 10
const draws = 100_000

const random = seededBits(3)
const logits = Array.from({ length: tokens }, () =>
  Float32Array.from({ length: tokens }, () => (random() / 2 ** 32) * 4),
)

const layers = {
  embed: (ids: readonly TokenId[]): HiddenStates => ({
    shape: [ids.length, 1],
    data: Float32Array.from(ids),
  }),
  logits: async ({ data }: HiddenStates) => [...data].map((token) => new ExactLogits(logits[token]!)),
} as unknown as LocalLayers

class Blocks {
  position = 0
  readonly failovers = []
  readonly route = []
  readonly pushed = false
  steps = 0
  async step(inputs: HiddenStates): Promise<HiddenStates> {
    this.position += inputs.shape[0]
    this.steps += 1
    return inputs
  }
  rewind(position: number): void {
    this.position = position
  }
  rewindableTokens(): number {
    return 1000
  }
}

/** Drafts the most probable tokens, up to four. */
class LikelyDrafter implements Drafter {
  readonly hasGuess = true
  readonly #random = seededBits(17)
  #last = 0
  begin(): void {}
  end(): void {}
  settle(): void {}
  push(token: TokenId): void {
    this.#last = token
  }
  draft(): readonly TokenId[] {
    const drafts: TokenId[] = []
    for (let token = this.#last; drafts.length < this.#random() % 5; drafts.push(token))
      token = logits[token]!.indexOf(Math.max(...logits[token]!))
    return drafts
  }
}

async function sample(seed: number, createDrafter?: () => Drafter) {
  const blocks = new Blocks()
  const session = new PetalsSession({
    model: {
      id: 'chain',
      tokenizer: scriptedTokenizer,
      capabilities: { grammar: false, logprobs: false, promptLogprobs: false, embeddings: false },
    },
    maxLength: draws + 10,
    layers,
    grammars: new TokenGrammars({
      tokenizer: scriptedTokenizer,
      vocabulary: { size: 0, bytesOf: () => undefined },
    }),
    inference: blocks as unknown as InferenceSession,
    decodeMs: () => undefined,
    speculation: { createDrafter, times: new RouteTimes(), metrics: silentMetrics },
    onClose: () => {},
  })
  const ids: TokenId[] = [0]
  for await (const { token } of session.generate([0], { sampling: { temperature: 0.8, seed } }))
    if (ids.push(token) > draws) break
  return { ids, steps: blocks.steps, drafts: session.drafts() }
}

/** Probabilities of the next token after each token. */
const exact = logits.map((row) => {
  const weights = [...row].map((logit) => Math.exp(logit / 0.8))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
})

/**
 * The total variation of the next tokens from the exact probabilities, averaged over the tokens before them, and what it is
 * expected to be by chance: the mean of |count - n p| is sqrt(2 n p (1 - p) / π).
 */
function variationOf(ids: readonly TokenId[]): { readonly found: number; readonly byChance: number } {
  const counts = exact.map((row) => row.map(() => 0))
  for (let i = 1; i < ids.length; i++) counts[ids[i - 1]!]![ids[i]!]! += 1
  let [found, byChance] = [0, 0]
  for (const [before, row] of counts.entries()) {
    const total = row.reduce((sum, count) => sum + count, 0)
    for (const [token, count] of row.entries()) {
      const probability = exact[before]![token]!
      found += Math.abs(count - total * probability) / 2
      byChance += Math.sqrt((2 * total * probability * (1 - probability)) / Math.PI) / 2
    }
  }
  return { found: found / (ids.length - 1), byChance: byChance / (ids.length - 1) }
}

describe('sampling with drafts, over 10^5 draws', () => {
  let plain: Awaited<ReturnType<typeof sample>>
  let drafted: Awaited<ReturnType<typeof sample>>

  beforeAll(async () => {
    plain = await sample(2)
    drafted = await sample(2, () => new LikelyDrafter())
  })

  it('gives the same tokens as without drafts, for a seed', () => {
    expect(drafted.drafts.accepted).toBeGreaterThan(10_000)
    expect(drafted.drafts.rejected).toBeGreaterThan(10_000)
    expect(drafted.steps).toBe(plain.steps - drafted.drafts.accepted)
    expect(drafted.ids).toEqual(plain.ids)
  })

  it('differs from the exact probabilities by chance alone', () => {
    const { found, byChance } = variationOf(drafted.ids)
    expect(found).toBeGreaterThan(0.8 * byChance)
    expect(found).toBeLessThan(1.2 * byChance)
  })

  it('would differ more if one draft in a hundred were accepted wrongly', () => {
    const { found, byChance } = variationOf(plain.ids.map((token, i) => (i % 100 === 99 ? 0 : token)))
    expect(found).toBeGreaterThan(1.2 * byChance)
  })
})
