import {
  generateText,
  type GenerationEndEvent,
  type GenerationEvent,
  InvalidRequestError,
  type Logger,
  type Model,
  type Session,
  type TextRequest,
  withWaits,
} from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { SwarmReport } from '../../../swarm/swarm-report.ts'
import { samplingOfChoice } from '../request/sampling.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes } from './answer-job.ts'

export interface RunOptions {
  readonly logger: Logger
  readonly account: string
  /** Report the route through the swarm, and waits, in `petals`. */
  readonly wantsRoute: boolean
}

/**
 * Runs a job: one prompt after another, each on a session of the pool, and the choices of each prompt one after another.
 * @throws InvalidRequestError that names a field of the request; errors of the engine and the pool.
 */
export async function* runAnswer<Types extends AnswerTypes>(
  context: Pick<GatewayContext, 'sessions'>,
  job: AnswerJob<Types>,
  options: RunOptions,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  try {
    for (const [place, prompt] of job.prompts.entries()) {
      yield* runPrompt(context, job, prompt, place * job.choices, options)
    }
  } catch (error) {
    throw withFieldOfRequest(error, job.grammarParam)
  }
}

async function* runPrompt<Types extends AnswerTypes>(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  job: AnswerJob<Types>,
  prompt: Types['prompt'],
  firstIndex: number,
  { logger, account, wantsRoute }: RunOptions,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  const { tokens, maxNewTokens } = prompt
  const { signal } = job.options
  const maxLength = tokens.length + maxNewTokens
  await using lease = await sessions.acquire(job.model, { tokens, maxLength, account, signal, logger })
  const report = new SwarmReport(lease.session, wantsRoute)
  const readerOf = await job.start(prompt, lease.session)
  const text = { ...job.options, tokens, maxNewTokens }
  const items = withWaits({ signal }, (waits) =>
    generateChoices(job.model, lease.session, { ...text, ...waits }, job.choices),
  )
  let begun = -1
  let reader = readerOf(0)
  for await (const item of items) {
    if ('wait' in item) {
      yield { type: 'wait', ...report.wait(item.wait) }
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
    if (delta !== undefined) yield { type: 'delta', index, delta, petals: report.changed() }
    if (!isEnd) continue
    const cost = { ...event, queuedMs: lease.queuedMs }
    yield {
      type: 'end',
      index,
      isFirstOfPrompt: choice === 0,
      finishReason: reader.finishReason(event),
      cost: reader.cost?.(cost) ?? cost,
      petals: report.final(),
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
