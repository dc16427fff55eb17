import type { CompletionChoice } from '@petals-chat/api'
import type { GenerationEndEvent, Session, TextDeltaEvent, Tokenizer } from '@petals-chat/engine'
import type { AnswerJob, ChoiceCost, ChoiceReader, SessionPrompt, SessionWork } from '../answer/answer-job.ts'
import { scoredTokens } from '../answer/scored-tokens.ts'
import type { EncodedPrompt } from '../request/encode-prompts.ts'
import type { ScoredText } from './scored-text.ts'
import { scorePrompt } from './score-prompt.ts'

export type PreparedPrompt = EncodedPrompt & SessionPrompt

export interface CompletionTypes {
  readonly prompt: PreparedPrompt
  readonly delta: ScoredText
  readonly finishReason: CompletionChoice['finish_reason']
}

export interface CompletionJob extends AnswerJob<CompletionTypes> {
  readonly logprobs: boolean
  /** The answer begins with the prompt. */
  readonly echo: boolean
}

/** What the beginning of a prompt's answers depends on. */
export type CompletionStart = Pick<SessionWork<CompletionTypes>, 'model' | 'options'> & {
  readonly echo: boolean
}

/** Scores the prompt if the request asks for it; its first choice carries the cost. */
export async function startCompletion(start: CompletionStart, prompt: PreparedPrompt, session: Session) {
  const started = performance.now()
  const echoed = await echo(start, prompt, session)
  const tokenizer = start.options.topLogprobs === undefined ? undefined : start.model.tokenizer
  const scoringMs = scores(start) ? performance.now() - started : undefined
  return (choice: number) =>
    new CompletionChoiceReader(echoed, tokenizer, choice === 0 ? scoringMs : undefined)
}

class CompletionChoiceReader implements ChoiceReader<CompletionTypes> {
  readonly #echoed: readonly ScoredText[]
  readonly #tokenizer: Tokenizer | undefined
  readonly #scoringMs: number | undefined

  constructor(
    echoed: readonly ScoredText[],
    tokenizer: Tokenizer | undefined,
    scoringMs: number | undefined,
  ) {
    this.#echoed = echoed
    this.#tokenizer = tokenizer
    this.#scoringMs = scoringMs
  }

  begin(): readonly ScoredText[] {
    return this.#echoed
  }

  push({ text, tokens }: TextDeltaEvent): ScoredText {
    return { text, tokens: this.#tokenizer ? scoredTokens(tokens, this.#tokenizer) : [] }
  }

  /** Scores the end token as well, as OpenAI and vLLM do: lm-eval takes the last of all scores for that of the answer. */
  finish({ endToken }: GenerationEndEvent): ScoredText | undefined {
    if (!endToken || !this.#tokenizer) return undefined
    return { text: '', tokens: scoredTokens([endToken], this.#tokenizer) }
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

const scores = ({ echo, options }: CompletionStart): boolean => echo && options.topLogprobs !== undefined

/** The part of the prompt that comes before every choice. */
async function echo(
  start: CompletionStart,
  { text, tokens }: PreparedPrompt,
  session: Session,
): Promise<readonly ScoredText[]> {
  if (!scores(start)) return start.echo ? [{ text, tokens: [] }] : []
  const { topLogprobs = 0, signal } = start.options
  return await scorePrompt(start.model, session, tokens, { topLogprobs, signal })
}
