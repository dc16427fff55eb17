import type { PetalsBody } from '@petals-chat/api'
import { withWaits, type GenerationEndEvent, type Session } from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { RouteReceipt } from '../../../swarm/route-receipt.ts'
import { waitNotice, type WaitNotice } from '../../../swarm/wait-notice.ts'
import { type ChoiceEvent, generateChoices } from '../generate-choices.ts'
import { inWordsOfRequest } from '../request/grammar-error.ts'
import type { ScoredText } from '../response/logprobs.ts'
import type { ChoiceCost } from '../response/usage.ts'
import type { RunOptions } from '../run-options.ts'
import type { CompletionJob, PreparedPrompt } from './prepare-completion.ts'
import { scorePrompt } from './score-prompt.ts'

export type CompletionEvent =
  | ({
      readonly type: 'delta'
      readonly index: number
      readonly petals?: PetalsBody | undefined
    } & ScoredText)
  | {
      readonly type: 'end'
      readonly index: number
      readonly finishReason: GenerationEndEvent['finishReason']
      readonly cost: ChoiceCost
      readonly isFirstOfPrompt: boolean
      readonly petals?: PetalsBody | undefined
    }
  | ({ readonly type: 'wait' } & WaitNotice)

/** Runs a job: one prompt after the other, each on a session of the pool, and the choices of each one after the other. */
export async function* runCompletion(
  context: Pick<GatewayContext, 'sessions'>,
  job: CompletionJob,
  options: RunOptions,
): AsyncGenerator<CompletionEvent, void, undefined> {
  try {
    for (const [place, prompt] of job.prompts.entries()) {
      yield* runPrompt(context, job, prompt, place * job.choices, options)
    }
  } catch (error) {
    throw inWordsOfRequest(error, job.grammarParam)
  }
}

async function* runPrompt(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  job: CompletionJob,
  prompt: PreparedPrompt,
  firstIndex: number,
  { logger, wantsRoute }: RunOptions,
): AsyncGenerator<CompletionEvent, void, undefined> {
  const { tokens, maxNewTokens } = prompt
  const { signal } = job.options
  const maxLength = tokens.length + maxNewTokens
  await using lease = await sessions.acquire(job.model, { tokens, maxLength, signal, logger })
  const receipt = new RouteReceipt(lease.session, wantsRoute)
  const started = performance.now()
  const echoed = await echo(job, prompt, lease.session)
  const scoringMs = scores(job) ? performance.now() - started : undefined
  let begun = -1
  for await (const item of answers(job, prompt, lease.session)) {
    if ('wait' in item) {
      yield { type: 'wait', ...waitNotice(item.wait, wantsRoute) }
      continue
    }
    const { choice, event } = item
    const index = firstIndex + choice
    if (begun < choice) for (const piece of echoed) yield { type: 'delta', index, ...piece }
    begun = choice
    if (event.type === 'text-delta') yield { ...event, type: 'delta', index, petals: receipt.changed() }
    else {
      const cost = withScoring({ ...event, queuedMs: lease.queuedMs }, choice === 0 ? scoringMs : undefined)
      const { finishReason } = event
      yield { type: 'end', index, finishReason, cost, isFirstOfPrompt: choice === 0, petals: receipt.final() }
    }
  }
}

const scores = ({ echo, options }: CompletionJob): boolean => echo && options.topLogprobs !== undefined

/** What of the prompt is put in front of every choice. */
async function echo(job: CompletionJob, { text, tokens }: PreparedPrompt, session: Session) {
  if (!scores(job)) return job.echo ? [{ text, tokens: [] }] : []
  const { topLogprobs = 0, signal } = job.options
  return await scorePrompt(job.model, session, tokens, { topLogprobs, signal })
}

function answers(job: CompletionJob, { tokens, maxNewTokens }: PreparedPrompt, session: Session) {
  if (maxNewTokens === 0) return emptyChoices(tokens.length, job.choices)
  return withWaits(job.options, (options) =>
    generateChoices(job.model, session, { ...job.options, ...options, tokens, maxNewTokens }, job.choices),
  )
}

function* emptyChoices(promptTokens: number, count: number): Generator<ChoiceEvent> {
  const usage = { promptTokens, cachedTokens: 0, completionTokens: 0 }
  const timings = { timeToFirstTokenMs: 0, decodeMs: 0 }
  for (let choice = 0; choice < count; choice++) {
    yield { choice, event: { type: 'generation-end', finishReason: 'length', usage, timings } }
  }
}

/** Scoring ran the whole prompt: that the answer found it in the KV cache afterwards was no saving. */
function withScoring(cost: ChoiceCost, scoringMs: number | undefined): ChoiceCost {
  if (scoringMs === undefined) return cost
  const timeToFirstTokenMs = cost.timings.timeToFirstTokenMs + scoringMs
  return {
    ...cost,
    usage: { ...cost.usage, cachedTokens: 0 },
    timings: { ...cost.timings, timeToFirstTokenMs },
  }
}
