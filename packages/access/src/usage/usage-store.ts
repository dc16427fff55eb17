import type { AccessDatabase } from '../access-database.ts'
import { inTransaction } from '../in-transaction.ts'

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

const DAY_MS = 24 * 60 * 60 * 1000

/** The day that was asked for last: each request asks several times for the same one, and to write it takes long. */
let lastDay = { number: NaN, name: '' }

/** Returns the day of a time (milliseconds since 1970) as entries name it: in UTC, `2026-11-28`. */
export function dayOf(ms: number): string {
  const number = Math.floor(ms / DAY_MS)
  if (number !== lastDay.number)
    lastDay = { number, name: new Date(number * DAY_MS).toISOString().slice(0, 10) }
  return lastDay.name
}

export interface UsageQuery {
  /** The first and the last day, `2026-11-28`. */
  readonly from: string
  readonly to: string
  /** Undefined: all callers. */
  readonly caller?: string | undefined
}

const CREATE_TABLE = `
  CREATE TABLE IF NOT EXISTS usage (
    day TEXT NOT NULL,
    caller TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    swarm_ms INTEGER NOT NULL,
    PRIMARY KEY (day, caller, model)
  ) STRICT, WITHOUT ROWID`

/** Several processes may add to the same row. */
const ADD = `
  INSERT INTO usage VALUES ($day, $caller, $model, $requests, $promptTokens, $cachedTokens, $completionTokens, $swarmMs)
  ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests,
    prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    cached_tokens = cached_tokens + excluded.cached_tokens,
    completion_tokens = completion_tokens + excluded.completion_tokens,
    swarm_ms = swarm_ms + excluded.swarm_ms`

const READ = `
  SELECT day, caller, model, requests, prompt_tokens AS promptTokens, cached_tokens AS cachedTokens,
    completion_tokens AS completionTokens, swarm_ms AS swarmMs
  FROM usage WHERE day BETWEEN $from AND $to AND ($caller IS NULL OR caller = $caller)
  ORDER BY day, caller, model`

/** Keeps what callers used, in the table `usage`. */
export class UsageStore {
  readonly #database: AccessDatabase

  /** The caller keeps ownership of the database. */
  constructor(database: AccessDatabase) {
    this.#database = database
    database.provide(CREATE_TABLE)
  }

  /** Adds to what is kept: all entries, or none if writing fails. @throws Error of SQLite */
  add(entries: readonly UsageEntry[]): void {
    inTransaction(this.#database, () => {
      const add = this.#database.connection.prepare(ADD)
      for (const entry of entries) add.run({ ...entry })
    })
  }

  /** Returns the entries of some days, the oldest day first. */
  read({ from, to, caller }: UsageQuery): readonly UsageEntry[] {
    const rows = this.#database.connection.prepare(READ).all({ from, to, caller: caller ?? null })
    return rows.map((row) => ({ ...row }) as unknown as UsageEntry)
  }
}
