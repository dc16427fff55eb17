import {
  generateText,
  type GenerationEndEvent,
  type GenerationEvent,
  InvalidRequestError,
  type Model,
  type Session,
  type TextRequest,
  type WaitEvent,
  withWaits,
} from '@petals-chat/engine'
import type { Claim, GatewayContext } from '../../context.ts'
import type { RequestTokens } from '../../limits/allowance.ts'
import { SwarmReport, type WaitNotice } from '../../swarm/swarm-report.ts'
import { samplingOfChoice } from '../request/sampling.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes, ChoiceReader, SessionWork } from './answer-job.ts'
import type { RunOptions } from './run-options.ts'
import { type OpenableJob, runRemotely } from './run-remotely.ts'
import { untilTurn } from './until-turn.ts'

/**
 * Runs a job: one prompt after another, each on a session of the pool, and the choices of each prompt one after another.
 * Between two choices it gives the session to a request that waits, and goes on when it is its turn again.
 * @throws RateLimitError; InvalidRequestError that names a field of the request; errors of the engine and the pool.
 */
export function runAnswer<Types extends AnswerTypes>(
  context: Pick<GatewayContext, 'sessions'>,
  job: AnswerJob<Types>,
  options: RunOptions,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  const { work } = job
  const open = async () => (options.isContinued ? undefined : options.allowance?.openRequest(tokensOf(job)))
  return work.kind === 'remote'
    ? runRemotely(context, { ...job, work, open }, options)
    : runOnSessions(context, { ...job, work, open }, options)
}

async function* runOnSessions<Types extends AnswerTypes>(
  context: Pick<GatewayContext, 'sessions'>,
  { work, open, ...job }: OpenableJob<Types, SessionWork<Types>>,
  options: RunOptions,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  await using _request = await open()
  try {
    for (const [place, prompt] of work.prompts.entries()) {
      const run: PromptRun<Types> = { prompt, firstIndex: place * job.choices, done: 0, readerOf: undefined }
      while (run.done < job.choices) yield* runTurn(context, { ...work, choices: job.choices }, run, options)
    }
  } catch (error) {
    throw withFieldOfRequest(error, work.grammarParam)
  }
}

/** What a job may use. */
export function tokensOf({
  prompts,
  choices,
}: Pick<AnswerJob<AnswerTypes>, 'prompts' | 'choices'>): RequestTokens {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  const answers = prompts.map(({ maxNewTokens }) => maxNewTokens)
  return {
    prompts: sum(prompts.map(({ promptTokens }) => promptTokens)),
    answers: choices * sum(answers),
    longestAnswer: Math.max(...answers),
  }
}

/** The progress of the answers to one prompt. */
interface PromptRun<Types extends AnswerTypes> {
  readonly prompt: Types['prompt']
  /** The number of the first choice within the whole answer. */
  readonly firstIndex: number
  /** Choices that are complete. */
  done: number
  /** Undefined before the first turn. */
  readerOf: ((choice: number) => ChoiceReader<Types>) | undefined
}

/** Runs the next choices on a session: all of them, or fewer if other requests wait. */
async function* runTurn<Types extends AnswerTypes>(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  work: SessionWork<Types> & Pick<AnswerJob<Types>, 'choices'>,
  run: PromptRun<Types>,
  { wantsRoute, via: _, ...claim }: RunOptions,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  const { tokens, maxNewTokens } = run.prompt
  const { signal } = work.options
  const maxLength = tokens.length + maxNewTokens
  const isContinued = claim.isContinued || run.firstIndex + run.done > 0
  const acquire = (options: Partial<Claim>) =>
    sessions.acquire(work.model, { ...claim, tokens, maxLength, signal, isContinued, ...options })
  await using lease = wantsRoute ? yield* untilTurn(signal, acquire, toWait) : await acquire({})
  const report = new SwarmReport(lease.session, wantsRoute)
  run.readerOf ??= await work.start(run.prompt, lease.session)
  const text = { ...work.options, tokens, maxNewTokens }
  do {
    const events = withWaits({ signal }, (waits) =>
      generateChoice(work.model, lease.session, { ...text, ...waits }, run.done),
    )
    yield* readChoice(run, events, { report, queuedMs: lease.queuedMs })
    run.done += 1
  } while (run.done < work.choices && !lease.isWanted)
}

const toWait = (notice: WaitNotice) => ({ type: 'wait', ...notice }) as const

interface ReadOptions {
  readonly report: SwarmReport
  readonly queuedMs: number
}

async function* readChoice<Types extends AnswerTypes>(
  { firstIndex, done: choice, readerOf }: PromptRun<Types>,
  items: AsyncIterable<GenerationEvent | WaitEvent>,
  { report, queuedMs }: ReadOptions,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  const index = firstIndex + choice
  const reader = readerOf!(choice)
  let begun = false
  for await (const item of items) {
    if ('wait' in item) {
      yield { type: 'wait', ...report.wait(item.wait) }
      continue
    }
    if (!begun) for (const delta of reader.begin?.() ?? []) yield { type: 'delta', index, delta }
    begun = true
    const isEnd = item.type === 'generation-end'
    const delta = isEnd ? reader.finish?.(item) : reader.push(item)
    if (delta !== undefined) yield { type: 'delta', index, delta, petals: report.changed() }
    if (!isEnd) continue
    const cost = { ...item, queuedMs }
    yield {
      type: 'end',
      index,
      isFirstOfPrompt: choice === 0,
      finishReason: reader.finishReason(item),
      stopText: item.stopReason,
      cost: reader.cost?.(cost) ?? cost,
      petals: report.final(),
    }
  }
}

/** Answers a prompt once more on its session, where the prompt has run already. */
async function* generateChoice(
  model: Model,
  session: Session,
  request: TextRequest,
  choice: number,
): AsyncGenerator<GenerationEvent, void, undefined> {
  if (request.maxNewTokens === 0) return void (yield emptyAnswer(request.tokens.length))
  const sampling = samplingOfChoice(request.sampling, choice)
  yield* generateText(model, session, { ...request, sampling })
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
