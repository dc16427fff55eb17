import type { FallbackBody } from '@petals-chat/api'
import {
  CapacityError,
  ContextLengthError,
  GenerationFailedError,
  InvalidRequestError,
  type Logger,
  type ModelSpec,
  ModelUnavailableError,
} from '@petals-chat/engine'

export interface FallbackOptions {
  /** The model that was asked. */
  readonly spec: Pick<ModelSpec, 'id' | 'fallback'>
  /** Returns the model of a fallback for the caller. @throws if there is none, or the caller may not use it */
  readonly find: (id: string) => ModelSpec
  readonly logger: Logger
}

/** A model that stands in for another one. */
export interface Substitute {
  readonly spec: ModelSpec
  /** For which model, and why. */
  readonly told: FallbackBody
  /** The error of an answer that both have refused: the request was made for another model, so this is not its mistake. */
  readonly refusedBoth: (refusal: unknown) => unknown
}

/**
 * The rule of all APIs: where a model can't answer before its client has seen a part of the answer, its fallback answers. A stream
 * is never continued by another model after its first word; an answer that is sent as a whole, and broke off, is asked of the
 * fallback anew.
 * @throws `error` if it says something else, or there is no fallback that the caller may use
 */
export function substituteFor(error: unknown, { spec, find, logger }: FallbackOptions): Substitute {
  const { fallback } = spec
  if (fallback === undefined || !isAbsence(error)) throw error
  const substitute = found(find, fallback, error)
  logger.warn({ model: spec.id, err: error }, `the model is not available: '${fallback}' is asked instead`)
  return {
    spec: substitute,
    told: { model: spec.id, reason: error.message },
    refusedBoth: (refusal) => refusedBoth(error, fallback, refusal),
  }
}

/** Also a swarm whose servers answer with errors is as good as away. */
type Absence = ModelUnavailableError | CapacityError | GenerationFailedError

const isAbsence = (error: unknown): error is Absence =>
  error instanceof ModelUnavailableError ||
  error instanceof CapacityError ||
  error instanceof GenerationFailedError

/** A caller that may not use the fallback learns why its own model failed. */
function found(find: FallbackOptions['find'], id: string, reason: Absence): ModelSpec {
  try {
    return find(id)
  } catch {
    throw reason
  }
}

function refusedBoth(absence: Absence, other: string, refusal: unknown): unknown {
  if (!(refusal instanceof InvalidRequestError || refusal instanceof ContextLengthError)) return refusal
  return new ModelUnavailableError(
    `${absence.message} The model '${other}' stands in for it, but can't answer this request: ${refusal.message}`,
    { cause: refusal, retryAfterMs: 'retryAfterMs' in absence ? absence.retryAfterMs : undefined },
  )
}
