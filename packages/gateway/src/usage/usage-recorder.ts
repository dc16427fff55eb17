import type { Counter, Logger, Metrics } from '@petals-chat/engine'
import { dayOf, type UsageEntry, type UsageQuery, type UsageStore } from '@petals-chat/access'

/** What a piece of work on a model has used. */
export interface Use {
  /** 1 for the first piece of a request, 0 for further ones. */
  readonly requests: 0 | 1
  readonly promptTokens: number
  /** The part of `promptTokens` that was in a KV cache. */
  readonly cachedTokens: number
  readonly completionTokens: number
  /** Milliseconds in which servers of a swarm worked. */
  readonly swarmMs: number
}

export interface UsageRecorderOptions {
  /** Undefined: what was used is known until this process ends. */
  readonly store: Pick<UsageStore, 'add' | 'read'> | undefined
  readonly metrics: Metrics
  readonly logger: Logger
}

/** What was used is written this long after it was used, many answers at once: writing takes a moment of this process. */
const WRITE_AFTER_MS = 1_000

/** While the file is locked by another program, each try stops this process for a second. */
const RETRY_AFTER_MS = 30_000

/** Callers with a label of their own in the metrics; all others share one. */
const MAX_LABELLED_CALLERS = 200

/** Days that are kept without a store. */
const DAYS_IN_MEMORY = 31
const DAY_MS = 24 * 60 * 60 * 1000

/** Records what each caller uses of each model, by days in UTC. */
export class UsageRecorder implements AsyncDisposable {
  readonly #options: UsageRecorderOptions
  readonly #count: ReturnType<typeof createUsageMetrics>
  /** Without a store: everything. Otherwise what is not yet written. */
  readonly #unwritten = new Map<string, UsageEntry>()
  /** The day on which old days were dropped last. */
  #day: string | undefined
  #timer: NodeJS.Timeout | undefined
  #isFailing = false

  constructor(options: UsageRecorderOptions) {
    this.#options = options
    this.#count = createUsageMetrics(options.metrics)
  }

  record(caller: string, model: string, use: Use): void {
    this.#count(caller, model, use)
    const day = dayOf(Date.now())
    const key = JSON.stringify([day, caller, model])
    this.#unwritten.set(key, { day, caller, model, ...sumOf(this.#unwritten.get(key) ?? nothing, use) })
    if (this.#options.store === undefined) this.#dropOldDays(day)
    else this.#writeSoon()
  }

  /** Returns what was used, by day, caller and model, the oldest day first. */
  read(query: UsageQuery): readonly UsageEntry[] {
    const entries = new Map<string, UsageEntry>()
    for (const entry of [...(this.#options.store?.read(query) ?? []), ...this.#unwritten.values()]) {
      const { day, caller, model } = entry
      if (day < query.from || day > query.to || caller !== (query.caller ?? caller)) continue
      const key = JSON.stringify([day, caller, model])
      const known = entries.get(key)
      entries.set(key, known === undefined ? entry : { day, caller, model, ...sumOf(known, entry) })
    }
    return [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry)
  }

  /** Writes what is not yet written. If that fails, it is kept and tried again. */
  write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { store, logger } = this.#options
    if (store === undefined || this.#unwritten.size === 0) return
    try {
      store.add([...this.#unwritten.values()])
      this.#unwritten.clear()
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) logger.warn({ err: error }, 'what callers use could not be written: trying again')
      this.#isFailing = true
      this.#writeSoon()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.write()
    clearTimeout(this.#timer)
  }

  #writeSoon(): void {
    const waitMs = this.#isFailing ? RETRY_AFTER_MS : WRITE_AFTER_MS
    this.#timer ??= setTimeout(() => this.write(), waitMs).unref()
  }

  /** Once a day: to write the name of another day takes long. */
  #dropOldDays(today: string): void {
    if (today === this.#day) return
    this.#day = today
    const oldest = dayOf(Date.now() - DAYS_IN_MEMORY * DAY_MS)
    for (const [key, { day }] of this.#unwritten) {
      if (day >= oldest) return
      this.#unwritten.delete(key)
    }
  }
}

const nothing = { requests: 0, promptTokens: 0, cachedTokens: 0, completionTokens: 0, swarmMs: 0 }

type Amounts = Omit<UsageEntry, 'day' | 'caller' | 'model'>

const sumOf = (a: Amounts, b: Amounts): Amounts => ({
  requests: a.requests + b.requests,
  promptTokens: a.promptTokens + b.promptTokens,
  cachedTokens: a.cachedTokens + b.cachedTokens,
  completionTokens: a.completionTokens + b.completionTokens,
  swarmMs: a.swarmMs + Math.round(b.swarmMs),
})

/** The sum of all entries. */
export const totalOf = (entries: readonly Amounts[]): Amounts => entries.reduce(sumOf, nothing)

/** Registers the metrics of callers; returns a function that counts. */
function createUsageMetrics(metrics: Metrics) {
  const labels = ['caller', 'model']
  const requests = metrics.counter({
    name: 'petals_chat_caller_requests_total',
    help: 'Requests that ran a model, by the id of their caller.',
    labels,
  })
  const tokens = metrics.counter({
    name: 'petals_chat_caller_tokens_total',
    help: 'Tokens by caller and kind: prompt, the part of it that was in a KV cache, and completion.',
    labels: [...labels, 'kind'],
  })
  const swarmSeconds = metrics.counter({
    name: 'petals_chat_caller_swarm_seconds_total',
    help: 'Seconds in which servers of a swarm worked for a caller.',
    labels,
  })
  const labelOf = boundedLabels()
  return (caller: string, model: string, use: Use): void => {
    const label = { caller: labelOf(caller), model }
    addIfAny(requests, use.requests, label)
    addIfAny(tokens, use.promptTokens, { ...label, kind: 'prompt' })
    addIfAny(tokens, use.cachedTokens, { ...label, kind: 'cached' })
    addIfAny(tokens, use.completionTokens, { ...label, kind: 'completion' })
    addIfAny(swarmSeconds, use.swarmMs / 1000, label)
  }
}

const addIfAny = (counter: Counter, value: number, label: Readonly<Record<string, string>>): void => {
  if (value > 0) counter.add(value, label)
}

/** Each label costs memory here and in Prometheus, so there are only so many. */
function boundedLabels(): (caller: string) => string {
  const known = new Set<string>()
  return (caller) => {
    if (known.size < MAX_LABELLED_CALLERS) known.add(caller)
    return known.has(caller) ? caller : 'other'
  }
}
