import type { TokenId } from '@petals-chat/engine'
import type { TokenDetails } from '../protocol.ts'
import type { NativeLayer, NativeSampler } from './native.ts'

/** Reads the model's own log probabilities in the steps of one request: before temperature, penalties and filters. */
export class Distribution {
  readonly #native: NativeLayer
  readonly #sampler: NativeSampler

  constructor(native: NativeLayer) {
    this.#native = native
    this.#sampler = native.createSampler()
    this.#sampler.applyConfig({ temperature: 0 }) // does not change logits
  }

  /** Returns the log probabilities of `token` and of the `top` most probable tokens, by the logits at `batchIndex`. */
  async describe(batchIndex: number, token: TokenId, top: number): Promise<TokenDetails> {
    const selection = [[token], false, false, true, top] as const
    const result = await this.#native.context.sampleToken(
      batchIndex,
      this.#sampler,
      false,
      false,
      selection,
      true,
    )
    const [, , , pairs = [], totalWeight = NaN] = result
    const logits = new Map<TokenId, number>()
    for (let index = 0; index < pairs.length; index += 2) logits.set(pairs[index]!, pairs[index + 1]!)
    // The greedy choice is always among them.
    const logTotal = Math.max(...logits.values()) + Math.log(totalWeight)
    if (!Number.isFinite(logTotal)) throw new Error('the probabilities are not valid numbers')
    const mostProbable = [...logits].sort((a, b) => b[1] - a[1]).slice(0, top)
    return {
      token,
      logprob: (logits.get(token) ?? -Infinity) - logTotal,
      top: mostProbable.map(([id, logit]) => [id, logit - logTotal] as const),
    }
  }

  dispose(): void {
    this.#sampler.dispose()
  }
}
