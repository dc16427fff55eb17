/** What one caller used of one model in one day. Counts are whole numbers. */
export interface UsageEntry {
  /** In UTC, `2026-11-28`. */
  readonly day: string
  /** `key:<id>`, `user:…`, `proxy:…` or `anonymous`. */
  readonly caller: string
  /** Id of the model. */
  readonly model: string
  /** Requests that ran the model. */
  readonly requests: number
  /** Tokens of prompts, with those that were in a KV cache. */
  readonly promptTokens: number
  /** The part of `promptTokens` that was in a KV cache. */
  readonly cachedTokens: number
  readonly completionTokens: number
  /** Milliseconds in which servers of a swarm worked. */
  readonly swarmMs: number
}

export interface UsageQuery {
  /** The first and the last day, `2026-11-28`. */
  readonly from: string
  readonly to: string
  /** Undefined: all callers. */
  readonly caller?: string | undefined
}

/** Keeps what was used. */
export interface UsageStore {
  /** Adds to what is kept. All entries are added, or none. */
  add(entries: readonly UsageEntry[]): void
  read(query: UsageQuery): readonly UsageEntry[]
}
