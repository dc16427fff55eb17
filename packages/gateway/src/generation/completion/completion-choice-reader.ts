import type { CompletionChoice } from '@petals-chat/api'
import type { GenerationEndEvent, Session, TextDeltaEvent } from '@petals-chat/engine'
import type { AnswerJob, ChoiceCost, ChoiceReader, PromptJob } from '../answer/answer-job.ts'
import type { EncodedPrompt } from '../request/encode-prompts.ts'
import type { ScoredText } from './scored-text.ts'
import { scorePrompt } from './score-prompt.ts'

export type PreparedPrompt = EncodedPrompt & PromptJob

export interface CompletionTypes {
  readonly prompt: PreparedPrompt
  readonly delta: ScoredText
  readonly finishReason: CompletionChoice['finish_reason']
}

export interface CompletionJob extends AnswerJob<CompletionTypes> {
  readonly echo: boolean
}

/** Scores the prompt if the request asks for it; its first choice carries the cost. */
export async function startCompletion(job: CompletionJob, prompt: PreparedPrompt, session: Session) {
  const started = performance.now()
  const echoed = await echo(job, prompt, session)
  const scoringMs = scores(job) ? performance.now() - started : undefined
  return (choice: number) => new CompletionChoiceReader(echoed, choice === 0 ? scoringMs : undefined)
}

class CompletionChoiceReader implements ChoiceReader<CompletionTypes> {
  readonly #echoed: readonly ScoredText[]
  readonly #scoringMs: number | undefined

  constructor(echoed: readonly ScoredText[], scoringMs: number | undefined) {
    this.#echoed = echoed
    this.#scoringMs = scoringMs
  }

  begin(): readonly ScoredText[] {
    return this.#echoed
  }

  push(event: TextDeltaEvent): ScoredText {
    return event
  }

  finishReason({ finishReason }: GenerationEndEvent): GenerationEndEvent['finishReason'] {
    return finishReason
  }

  /** Scoring ran the whole prompt, so the prompt tokens that the answer then found in the KV cache do not count as cached. */
  cost(cost: ChoiceCost): ChoiceCost {
    if (this.#scoringMs === undefined) return cost
    const timeToFirstTokenMs = cost.timings.timeToFirstTokenMs + this.#scoringMs
    return {
      ...cost,
      usage: { ...cost.usage, cachedTokens: 0 },
      timings: { ...cost.timings, timeToFirstTokenMs },
    }
  }
}

const scores = ({ echo, options }: CompletionJob): boolean => echo && options.topLogprobs !== undefined

/** The part of the prompt that comes before every choice. */
async function echo(
  job: CompletionJob,
  { text, tokens }: PreparedPrompt,
  session: Session,
): Promise<readonly ScoredText[]> {
  if (!scores(job)) return job.echo ? [{ text, tokens: [] }] : []
  const { topLogprobs = 0, signal } = job.options
  return await scorePrompt(job.model, session, tokens, { topLogprobs, signal })
}
