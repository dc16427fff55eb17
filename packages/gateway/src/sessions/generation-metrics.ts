import type { Metrics } from '@petals-chat/engine'

/** From a cached prompt on a local model to a long prompt on a slow swarm. */
const FIRST_TOKEN_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** From 1000 tokens a second to less than one. */
const TOKEN_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** Measures the calls of `generate` on the sessions of one model. */
export interface GenerationMetrics {
  start(newTokens: number, cachedTokens: number): GenerationMeasurement
}

/** Tokens of an answer. */
export interface CountedTokens {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
}

export interface GenerationMeasurement {
  onToken(): void
  /** `counted`: what another server counted, whose tokens are not those that were seen here. */
  end(counted?: CountedTokens): void
}

/** Registers the metrics once; returns a function that creates the measurements of one model. */
export function createGenerationMetrics(metrics: Metrics): (model: string) => GenerationMetrics {
  const tokens = metrics.counter({
    name: 'petals_chat_tokens_total',
    help: 'Tokens by kind: prompt, the part of it that was in a KV cache, and generated.',
    labels: ['model', 'kind'],
  })
  const firstToken = metrics.histogram({
    name: 'petals_chat_time_to_first_token_seconds',
    help: 'From the start of the prefill to the first token, without the time in the queue.',
    labels: ['model'],
    buckets: FIRST_TOKEN_BUCKETS_SECONDS,
  })
  const perToken = metrics.histogram({
    name: 'petals_chat_time_per_output_token_seconds',
    help: 'Mean time between the tokens of an answer after the first one.',
    labels: ['model'],
    buckets: TOKEN_BUCKETS_SECONDS,
  })
  return (model) => ({
    start(newTokens, cachedTokens) {
      const startedAt = performance.now()
      let firstAt = 0
      let lastAt = 0
      let count = 0
      return {
        onToken() {
          lastAt = performance.now()
          if (count === 0) firstAt = lastAt
          count += 1
        },
        end(counted) {
          tokens.add(counted?.promptTokens ?? newTokens + cachedTokens, { model, kind: 'prompt' })
          tokens.add(counted?.cachedTokens ?? cachedTokens, { model, kind: 'cached' })
          tokens.add(counted?.completionTokens ?? count, { model, kind: 'generated' })
          if (count > 0) firstToken.observe((firstAt - startedAt) / 1000, { model })
          if (count > 1) perToken.observe((lastAt - firstAt) / 1000 / (count - 1), { model })
        },
      }
    },
  })
}
