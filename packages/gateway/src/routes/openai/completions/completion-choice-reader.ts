import type { GenerationEndEvent, Session, TextDeltaEvent } from '@petals-chat/engine'
import type { AnswerEvent, ChoiceReader, StartPrompt } from '../answer/run-answer.ts'
import type { ScoredText } from '../response/logprobs.ts'
import type { ChoiceCost } from '../response/usage.ts'
import type { CompletionJob, PreparedPrompt } from './prepare-completion.ts'
import { scorePrompt } from './score-prompt.ts'

export type CompletionFinishReason = GenerationEndEvent['finishReason']
export type CompletionEvent = AnswerEvent<ScoredText, CompletionFinishReason>

/** Scores the prompt if the request asks for it; its first choice carries the cost. */
export const startCompletion =
  (job: CompletionJob): StartPrompt<PreparedPrompt, ScoredText, CompletionFinishReason> =>
  async (prompt, session) => {
    const started = performance.now()
    const echoed = await echo(job, prompt, session)
    const scoringMs = scores(job) ? performance.now() - started : undefined
    return (choice) => new CompletionChoiceReader(echoed, choice === 0 ? scoringMs : undefined)
  }

class CompletionChoiceReader implements ChoiceReader<ScoredText, CompletionFinishReason> {
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

  finishReason({ finishReason }: GenerationEndEvent): CompletionFinishReason {
    return finishReason
  }

  /** Scoring ran the whole prompt: it is no saving that the answer then found the prompt in the KV cache. */
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
