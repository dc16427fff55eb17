import type { PetalsBody } from '@petals-chat/api'
import {
  generateText,
  type GenerationEndEvent,
  type GenerationEvent,
  InvalidRequestError,
  type Logger,
  type Model,
  type Session,
  type TextDeltaEvent,
  type TextRequest,
  withWaits,
} from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { RouteReceipt } from '../../../swarm/route-receipt.ts'
import { waitNotice, type WaitNotice } from '../../../swarm/wait-notice.ts'
import { samplingOfChoice } from '../request/sampling.ts'
import type { ChoiceCost } from '../response/usage.ts'
import type { AnswerJob, PromptJob } from './answer-job.ts'

/** A piece of a choice, in the shape of its API. */
export interface DeltaEvent<Delta> {
  readonly type: 'delta'
  /** The number of the choice within the whole answer. */
  readonly index: number
  readonly delta: Delta
  readonly petals?: PetalsBody | undefined
}

/** The end of a choice. */
export interface EndEvent<FinishReason> {
  readonly type: 'end'
  readonly index: number
  /** The choices of one prompt share its cost: only the first one counts it. */
  readonly isFirstOfPrompt: boolean
  readonly finishReason: FinishReason
  readonly cost: ChoiceCost
  readonly petals?: PetalsBody | undefined
}

export type AnswerEvent<Delta, FinishReason> =
  DeltaEvent<Delta> | EndEvent<FinishReason> | ({ readonly type: 'wait' } & WaitNotice)

/** Turns the text of one choice into the pieces of its API. */
export interface ChoiceReader<Delta, FinishReason> {
  /** The pieces that come before any text. */
  begin?(): readonly Delta[]
  /** Undefined while everything is held back. */
  push(event: TextDeltaEvent): Delta | undefined
  /** The text that was held back, if any. */
  finish?(): Delta | undefined
  finishReason(end: GenerationEndEvent): FinishReason
  /** The cost of the choice, if it differs from that of its generation. */
  cost?(cost: ChoiceCost): ChoiceCost
}

/**
 * Called once per prompt, on its session and before generation; returns the reader of each choice. `choice` counts from 0
 * for each prompt.
 */
export type StartPrompt<Prompt, Delta, FinishReason> = (
  prompt: Prompt,
  session: Session,
) => Promise<(choice: number) => ChoiceReader<Delta, FinishReason>>

export interface RunOptions {
  readonly logger: Logger
  /** Report the route through the swarm, and waits, in `petals`. */
  readonly wantsRoute: boolean
}

/**
 * Runs a job: one prompt after another, each on a session of the pool, and the choices of each prompt one after another.
 * @throws InvalidRequestError that names a field of the request; errors of the engine and the pool.
 */
export async function* runAnswer<Prompt extends PromptJob, Delta, FinishReason>(
  context: Pick<GatewayContext, 'sessions'>,
  job: AnswerJob<Prompt>,
  start: StartPrompt<Prompt, Delta, FinishReason>,
  options: RunOptions,
): AsyncGenerator<AnswerEvent<Delta, FinishReason>, void, undefined> {
  try {
    for (const [place, prompt] of job.prompts.entries()) {
      yield* runPrompt(context, job, prompt, place * job.choices, start, options)
    }
  } catch (error) {
    throw withFieldOfRequest(error, job.grammarParam)
  }
}

async function* runPrompt<Prompt extends PromptJob, Delta, FinishReason>(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  job: AnswerJob<Prompt>,
  prompt: Prompt,
  firstIndex: number,
  start: StartPrompt<Prompt, Delta, FinishReason>,
  { logger, wantsRoute }: RunOptions,
): AsyncGenerator<AnswerEvent<Delta, FinishReason>, void, undefined> {
  const { tokens, maxNewTokens } = prompt
  const { signal } = job.options
  const maxLength = tokens.length + maxNewTokens
  await using lease = await sessions.acquire(job.model, { tokens, maxLength, signal, logger })
  const receipt = new RouteReceipt(lease.session, wantsRoute)
  const readerOf = await start(prompt, lease.session)
  const text = { ...job.options, tokens, maxNewTokens }
  const items = withWaits({ signal }, (waits) =>
    generateChoices(job.model, lease.session, { ...text, ...waits }, job.choices),
  )
  let begun = -1
  let reader = readerOf(0)
  for await (const item of items) {
    if ('wait' in item) {
      yield { type: 'wait', ...waitNotice(item.wait, wantsRoute) }
      continue
    }
    const { choice, event } = item
    const index = firstIndex + choice
    if (begun < choice) {
      if (choice > 0) reader = readerOf(choice)
      for (const delta of reader.begin?.() ?? []) yield { type: 'delta', index, delta }
      begun = choice
    }
    const isEnd = event.type === 'generation-end'
    const delta = isEnd ? reader.finish?.() : reader.push(event)
    if (delta !== undefined) yield { type: 'delta', index, delta, petals: receipt.changed() }
    if (!isEnd) continue
    const cost = { ...event, queuedMs: lease.queuedMs }
    yield {
      type: 'end',
      index,
      isFirstOfPrompt: choice === 0,
      finishReason: reader.finishReason(event),
      cost: reader.cost?.(cost) ?? cost,
      petals: receipt.final(),
    }
  }
}

interface ChoiceEvent {
  /** The number of the choice within its prompt. */
  readonly choice: number
  readonly event: GenerationEvent
}

/** Answers one prompt `count` times on the same session, one choice after another: the prompt runs once. */
async function* generateChoices(
  model: Model,
  session: Session,
  request: TextRequest,
  count: number,
): AsyncGenerator<ChoiceEvent, void, undefined> {
  for (let choice = 0; choice < count; choice++) {
    if (request.maxNewTokens === 0) {
      yield { choice, event: emptyAnswer(request.tokens.length) }
      continue
    }
    const sampling = samplingOfChoice(request.sampling, choice)
    for await (const event of generateText(model, session, { ...request, sampling })) yield { choice, event }
  }
}

const emptyAnswer = (promptTokens: number): GenerationEndEvent => ({
  type: 'generation-end',
  finishReason: 'length',
  usage: { promptTokens, cachedTokens: 0, completionTokens: 0 },
  timings: { timeToFirstTokenMs: 0, decodeMs: 0 },
})

/** An engine that refuses a grammar does not know the field of the request that the grammar was made from. */
function withFieldOfRequest(error: unknown, param: string | undefined): unknown {
  if (!(error instanceof InvalidRequestError) || error.param !== 'grammar' || param === undefined)
    return error
  return new InvalidRequestError(error.message, { param, reason: 'invalid_json_schema', cause: error })
}
