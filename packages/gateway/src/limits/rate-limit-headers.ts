/** A limit that the headers of a response describe. */
export interface DescribedLimit {
  readonly limit: number
  readonly remaining: number
  readonly resetMs: number
}

/** The headers by which OpenAI's clients learn their limits. Limits that do not apply have none. */
export function rateLimitHeaders(
  requests: DescribedLimit | undefined,
  tokens: DescribedLimit | undefined,
): Readonly<Record<string, string>> {
  return { ...headersOf('requests', requests), ...headersOf('tokens', tokens) }
}

const headersOf = (unit: string, described: DescribedLimit | undefined): Record<string, string> =>
  described === undefined
    ? {}
    : {
        [`x-ratelimit-limit-${unit}`]: String(described.limit),
        [`x-ratelimit-remaining-${unit}`]: String(described.remaining),
        [`x-ratelimit-reset-${unit}`]: shortDuration(described.resetMs),
      }

/** Names of the headers, which pages of other origins may read. */
export const rateLimitHeaderNames: readonly string[] = ['requests', 'tokens'].flatMap((unit) =>
  ['limit', 'remaining', 'reset'].map((part) => `x-ratelimit-${part}-${unit}`),
)

/** A duration as OpenAI writes it: `350ms`, `12s`, `6m0s`, `23h59m59s`. Seconds are rounded up. */
export function shortDuration(ms: number): string {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`
  const total = Math.ceil(ms / 1_000)
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60]
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}
