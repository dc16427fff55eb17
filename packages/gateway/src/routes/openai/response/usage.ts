import type { TimingsBody, UsageBody } from '@petals-chat/api'
import type { DraftCount } from '@petals-chat/engine'
import type { ChoiceCost } from '../../../generation/answer/answer-job.ts'

/** Sums the cost of the choices of one answer. The choices of one prompt share it, so it counts once, with the first choice. */
export class CostTotal {
  #promptTokens = 0
  #cachedTokens = 0
  #completionTokens = 0
  #decodedTokens = 0
  #queuedMs = 0
  #promptMs = 0
  #decodeMs = 0
  #drafts: DraftCount | undefined

  add({ usage, timings, queuedMs }: ChoiceCost, isFirstOfPrompt: boolean): void {
    if (isFirstOfPrompt) {
      this.#promptTokens += usage.promptTokens
      this.#cachedTokens += usage.cachedTokens
      this.#queuedMs += queuedMs
    }
    this.#completionTokens += usage.completionTokens
    this.#decodedTokens += Math.max(usage.completionTokens - 1, 0)
    this.#promptMs += timings.timeToFirstTokenMs
    this.#decodeMs += timings.decodeMs
    const { drafts } = usage
    const before = this.#drafts ?? { accepted: 0, rejected: 0 }
    if (drafts) {
      this.#drafts = {
        accepted: before.accepted + drafts.accepted,
        rejected: before.rejected + drafts.rejected,
      }
    }
  }

  usage(): UsageBody {
    return {
      prompt_tokens: this.#promptTokens,
      completion_tokens: this.#completionTokens,
      total_tokens: this.#promptTokens + this.#completionTokens,
      prompt_tokens_details: { cached_tokens: this.#cachedTokens },
      ...(this.#drafts && {
        completion_tokens_details: {
          accepted_prediction_tokens: this.#drafts.accepted,
          rejected_prediction_tokens: this.#drafts.rejected,
        },
      }),
    }
  }

  timings(): TimingsBody {
    const promptRun = this.#promptTokens - this.#cachedTokens
    return {
      queued_ms: rounded(this.#queuedMs),
      cache_n: this.#cachedTokens,
      prompt_n: promptRun,
      prompt_ms: rounded(this.#promptMs),
      prompt_per_second: perSecond(promptRun, this.#promptMs),
      predicted_n: this.#completionTokens,
      predicted_ms: rounded(this.#decodeMs),
      predicted_per_second: perSecond(this.#decodedTokens, this.#decodeMs),
    }
  }
}

/** Rounds milliseconds to microseconds. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000

const perSecond = (count: number, ms: number): number => (ms > 0 ? rounded((count / ms) * 1000) : 0)
