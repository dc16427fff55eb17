import {
  CapacityError,
  ContextLengthError,
  InvalidRequestError,
  type ModelSpec,
  ModelUnavailableError,
} from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes } from './answer-job.ts'
import { runAnswer } from './run-answer.ts'
import type { RunOptions } from './run-options.ts'

export interface BeginOptions<Job> {
  readonly spec: ModelSpec
  prepare(spec: ModelSpec): Promise<Job>
  /** Returns the model of a fallback for the caller. @throws if there is none, or the caller may not use it */
  fallback(id: string): ModelSpec
  readonly options: RunOptions
}

/** An answer that has begun, and the job that it answers. */
export interface BegunAnswer<Types extends AnswerTypes, Job> {
  readonly job: Job
  readonly events: AsyncIterable<AnswerEvent<Types>>
}

/**
 * Begins an answer. If its model can't answer before the first word, and has a fallback, that one answers: the job is then
 * the fallback's, whose head names it to the client.
 */
export async function beginAnswer<Types extends AnswerTypes, Job extends AnswerJob<Types>>(
  context: Pick<GatewayContext, 'sessions'>,
  { spec, prepare, fallback, options }: BeginOptions<Job>,
): Promise<BegunAnswer<Types, Job>> {
  const job = await prepare(spec)
  const events = runAnswer<Types>(context, job, options)
  const other = job.work.kind === 'remote' ? job.work.model.fallback : undefined
  if (other === undefined) return { job, events }
  try {
    const first = await events.next()
    return { job, events: first.done ? events : withFirst(first.value, events) }
  } catch (error) {
    if (!isAbsence(error)) throw error
    const substitute = await prepare(found(fallback, other, error)).catch((refusal: unknown) => {
      throw refusedBoth(error, other, refusal)
    })
    options.logger.warn({ model: spec.id, err: error }, `the model is not available: '${other}' answers`)
    return { job: substitute, events: runAnswer<Types>(context, substitute, options) }
  }
}

type Absence = ModelUnavailableError | CapacityError

const isAbsence = (error: unknown): error is Absence =>
  error instanceof ModelUnavailableError || error instanceof CapacityError

/** The request was made for another model: that the fallback refuses it is not the client's mistake. */
function refusedBoth(absence: Absence, other: string, refusal: unknown): unknown {
  if (!(refusal instanceof InvalidRequestError || refusal instanceof ContextLengthError)) return refusal
  return new ModelUnavailableError(
    `${absence.message} The model '${other}' stands in for it, but can't answer this request: ${refusal.message}`,
    { cause: refusal, retryAfterMs: absence.retryAfterMs },
  )
}

/** A caller that may not use the fallback learns why its own model failed. */
function found(fallback: (id: string) => ModelSpec, id: string, reason: unknown): ModelSpec {
  try {
    return fallback(id)
  } catch {
    throw reason
  }
}

/** Ends the others when it is ended, even before it is read: a generator would not. */
function withFirst<Event>(
  first: Event,
  others: AsyncGenerator<Event, void, undefined>,
): AsyncIterableIterator<Event, void, undefined> {
  let isFirst = true
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next() {
      if (!isFirst) return others.next()
      isFirst = false
      return { value: first }
    },
    return: () => others.return(),
  }
}
