import type { RemoteEvent } from '@petals-chat/engine'
import type { Claim, GatewayContext } from '../../context.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes, RemotePrompt, RemoteWork } from './answer-job.ts'
import type { RunOptions } from './run-options.ts'
import { untilTurn } from './until-turn.ts'
import { viaOf } from './via.ts'

/** A job, and what counts it in advance as one request until the result is disposed. */
export interface OpenableJob<Types extends AnswerTypes, Work extends AnswerJob<Types>['work']> extends Pick<
  AnswerJob<Types>,
  'choices' | 'signal'
> {
  readonly work: Work
  open(): Promise<AsyncDisposable | undefined>
}

/** Lets another server answer: one prompt after another, and one choice after another, each in its turn of the fair queue. */
export async function* runRemotely<Types extends AnswerTypes>(
  context: Pick<GatewayContext, 'sessions'>,
  { choices, signal, work, open }: OpenableJob<Types, RemoteWork<Types>>,
  options: RunOptions,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  await using _request = await open()
  const via = viaOf(work.model.id, options.via)
  for (const [place, prompt] of work.prompts.entries())
    for (let choice = 0; choice < choices; choice++)
      yield* runChoice(
        context,
        work,
        { prompt, choice, index: place * choices + choice, signal, via },
        options,
      )
}

interface RemoteChoice {
  readonly prompt: RemotePrompt
  /** Counts from 0 for each prompt. */
  readonly choice: number
  /** The number of the choice within the whole answer. */
  readonly index: number
  readonly signal: AbortSignal
  readonly via: string
}

async function* runChoice<Types extends AnswerTypes>(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  { model, start }: RemoteWork<Types>,
  { prompt, choice, index, signal, via }: RemoteChoice,
  { account, allowance, reader: answerReader, logger, isContinued, wantsRoute }: RunOptions,
): AsyncGenerator<AnswerEvent<Types>, void, undefined> {
  const { promptTokens, maxNewTokens } = prompt
  const claim = { account, allowance, reader: answerReader, signal, isContinued: isContinued || index > 0 }
  const enter = (options: Partial<Claim>) =>
    sessions.enter(model, { ...claim, promptTokens, maxNewTokens, logger, ...options })
  await using turn = wantsRoute
    ? yield* untilTurn(signal, enter, (notice) => ({ type: 'wait', ...notice }) as const)
    : await enter({})
  const reader = start()
  const clock = new AnswerClock()
  for await (const event of turn.watched(model.answer(prompt.request(choice), { signal, via }))) {
    clock.note(event)
    if (event.type === 'parts') {
      const delta = reader.push(event)
      if (delta !== undefined) yield { type: 'delta', index, delta }
      continue
    }
    const rest = reader.finish?.()
    if (rest !== undefined) yield { type: 'delta', index, delta: rest }
    yield {
      type: 'end',
      index,
      isFirstOfPrompt: choice === 0,
      finishReason: reader.finishReason(event),
      stopText: event.stopText,
      cost: { usage: event.usage, timings: clock.timings(), queuedMs: turn.queuedMs },
    }
  }
}

/** Measures an answer as its reader sees it. */
class AnswerClock {
  readonly #startedAt = performance.now()
  #firstAt: number | undefined
  #lastAt = this.#startedAt

  note({ type }: RemoteEvent): void {
    this.#lastAt = performance.now()
    if (type === 'parts') this.#firstAt ??= this.#lastAt
  }

  timings() {
    const firstAt = this.#firstAt ?? this.#lastAt
    return { timeToFirstTokenMs: firstAt - this.#startedAt, decodeMs: this.#lastAt - firstAt }
  }
}
