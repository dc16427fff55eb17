import type { SamplingParams } from '@petals-chat/engine'

/** A request that is traced. */
export interface TracedRequest {
  readonly method: string
  /** The pattern of its route. */
  readonly route: string
  /** `traceparent` of W3C Trace Context, as the client sent it. */
  readonly traceparent: string | undefined
  readonly requestId: string
}

/** Work on a model that is traced. */
export interface TracedWork {
  readonly model: string
  /** Name of the model's engine. */
  readonly engine: string
  readonly maxNewTokens: number
}

/** What work on a model has used, and how it ended. */
export interface WorkResult {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  /** Undefined: it did not fail. */
  readonly error?: unknown
}

/** Traces requests. */
export interface Tracing extends AsyncDisposable {
  startRequest(request: TracedRequest): RequestTrace
}

export interface RequestTrace {
  startWork(work: TracedWork): WorkTrace
  end(status: number): void
}

export interface WorkTrace {
  sampled(sampling: SamplingParams): void
  firstToken(): void
  end(result: WorkResult): void
}
