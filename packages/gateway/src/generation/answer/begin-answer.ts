import type { FallbackBody } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import type { WaitNotice } from '../../swarm/swarm-report.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes } from './answer-job.ts'
import { substituteFor } from './fallback.ts'
import { runAnswer } from './run-answer.ts'
import type { RunOptions } from './run-options.ts'

export interface BeginOptions<Job> {
  readonly spec: ModelSpec
  prepare(spec: ModelSpec): Promise<Job>
  /** Returns the model of a fallback for the caller. @throws if there is none, or the caller may not use it */
  fallback(id: string): ModelSpec
  /** Nothing is sent before the answer is whole: then one that breaks off is asked of the fallback anew. */
  readonly isWhole?: boolean | undefined
  readonly options: RunOptions
}

/** An answer that has begun, and the job that it answers. */
export interface BegunAnswer<Types extends AnswerTypes, Job> {
  readonly job: Job
  readonly events: AsyncIterable<AnswerEvent<Types>>
}

/** An answer that may still get another model waits. */
export interface BeginningWait<Job> {
  readonly job: Job
  readonly notice: WaitNotice
}

/** Yields the waits until the answer has begun, and returns it. Only an answer with a fallback waits here. */
export type BeginningAnswer<Types extends AnswerTypes, Job> = AsyncGenerator<
  BeginningWait<Job>,
  BegunAnswer<Types, Job>,
  undefined
>

/**
 * Begins an answer. If its model can't answer before its client has seen a part of it, and has a fallback, that one answers: the
 * job is then the fallback's, whose head names it to the client.
 */
export async function* beginAnswer<Types extends AnswerTypes, Job extends AnswerJob<Types>>(
  context: Pick<GatewayContext, 'sessions'>,
  { spec, prepare, fallback, isWhole = false, options }: BeginOptions<Job>,
): BeginningAnswer<Types, Job> {
  const { fallback: other } = spec
  let job: Job | undefined
  try {
    if (other !== undefined) context.sessions.assertRoom(spec.id, options)
    job = await prepare(spec)
    const events = runAnswer<Types>(context, job, options)
    if (other === undefined) return { job, events }
    return { job, events: yield* isWhole ? untilEnd<Types, Job>(job, events) : fromFirstWord(job, events) }
  } catch (error) {
    const { logger } = options
    const { spec: otherSpec, told, refusedBoth } = substituteFor(error, { spec, find: fallback, logger })
    context.sessions.assertRoom(otherSpec.id, options)
    const substitute = await prepare(otherSpec).catch((refusal: unknown) => {
      throw refusedBoth(refusal)
    })
    // What was told of the answer so far had this id.
    const { id, created } = job?.head ?? substitute.head
    const events = runAnswer<Types>(context, substitute, options)
    return {
      job: { ...substitute, head: { ...substitute.head, id, created } },
      events: options.wantsRoute ? withReason(events, told) : events,
    }
  }
}

type BeginningEvents<Types extends AnswerTypes, Job> = AsyncGenerator<
  BeginningWait<Job>,
  AsyncIterable<AnswerEvent<Types>>,
  undefined
>

/** Passes waits on until the answer is whole; returns its pieces. */
async function* untilEnd<Types extends AnswerTypes, Job>(
  job: Job,
  events: AsyncIterable<AnswerEvent<Types>>,
): BeginningEvents<Types, Job> {
  const pieces: AnswerEvent<Types>[] = []
  for await (const event of events) {
    if (event.type === 'wait') yield { job, notice: event }
    else pieces.push(event)
  }
  return (async function* () {
    yield* pieces
  })()
}

/** Passes waits on until the first piece of the answer; returns that and all that follows. */
async function* fromFirstWord<Types extends AnswerTypes, Job>(
  job: Job,
  events: AsyncGenerator<AnswerEvent<Types>, void, undefined>,
): BeginningEvents<Types, Job> {
  let hasBegun = false
  try {
    while (true) {
      const first = await events.next()
      if (!first.done && first.value.type === 'wait') {
        yield { job, notice: first.value }
        continue
      }
      hasBegun = true
      return first.done ? events : withFirst(first.value, events)
    }
  } finally {
    // Its reader has gone during a wait.
    if (!hasBegun) await events.return()
  }
}

/** Says at the beginning and at the end of each choice for which model this one stands in, and why. */
async function* withReason<Types extends AnswerTypes>(
  events: AsyncIterable<AnswerEvent<Types>>,
  fallback: FallbackBody,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  let isTold = false
  for await (const event of events) {
    const isHere: boolean = event.type === 'end' || (event.type === 'delta' && !isTold)
    isTold ||= isHere
    yield isHere ? { ...event, petals: { ...event.petals, fallback } } : event
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
