import type { ChatRequest, CompletionRequest, PetalsBody } from '@petals-chat/api'
import type {
  GenerationEndEvent,
  Model,
  ModelSpec,
  Session,
  TextDeltaEvent,
  TextRequest,
  TokenId,
} from '@petals-chat/engine'
import type { WaitNotice } from '../../swarm/swarm-report.ts'
import type { AnswerForm } from '../request/answer-form.ts'
import { toStop } from '../request/choices.ts'
import { toSampling } from '../request/sampling.ts'
import type { AnswerHead } from './answer-head.ts'

/** A prompt, and the greatest length of each answer to it. */
export interface PromptJob {
  readonly tokens: readonly TokenId[]
  /** 0: the prompt is only echoed. */
  readonly maxNewTokens: number
}

/** The types in which answers to a dialogue and continuations of a text differ. */
export interface AnswerTypes {
  readonly prompt: PromptJob
  /** A piece of a choice. */
  readonly delta: unknown
  readonly finishReason: string
}

/** A request for answers, checked against its model and ready to run. */
export interface AnswerJob<Types extends AnswerTypes> {
  readonly head: AnswerHead
  readonly model: Model
  readonly prompts: readonly Types['prompt'][]
  /** Answers to each prompt. */
  readonly choices: number
  readonly options: Omit<TextRequest, keyof PromptJob>
  /** The request field that the answer's grammar was made from. */
  readonly grammarParam: string | undefined
  /**
   * Called once per prompt, on its session and before generation; returns the reader of each choice. `choice` counts
   * from 0 for each prompt.
   */
  start(prompt: Types['prompt'], session: Session): Promise<(choice: number) => ChoiceReader<Types>>
}

/** Turns the text of one choice into pieces. */
export interface ChoiceReader<Types extends AnswerTypes> {
  /** The pieces that come before any text. */
  begin?(): readonly Types['delta'][]
  /** Undefined while everything is held back. */
  push(event: TextDeltaEvent): Types['delta'] | undefined
  /** The text that was held back, if any. */
  finish?(): Types['delta'] | undefined
  finishReason(end: GenerationEndEvent): Types['finishReason']
  /** The cost of the choice, if it differs from that of its generation. */
  cost?(cost: ChoiceCost): ChoiceCost
}

/** The cost of one choice: tokens and times. */
export interface ChoiceCost extends Pick<GenerationEndEvent, 'usage' | 'timings'> {
  readonly queuedMs: number
}

/** A piece of a choice. */
export interface DeltaEvent<Types extends AnswerTypes> {
  readonly type: 'delta'
  /** The number of the choice within the whole answer. */
  readonly index: number
  readonly delta: Types['delta']
  readonly petals?: PetalsBody | undefined
}

/** The end of a choice. */
export interface EndEvent<Types extends AnswerTypes> {
  readonly type: 'end'
  readonly index: number
  /** The choices of one prompt share its cost: only the first one counts it. */
  readonly isFirstOfPrompt: boolean
  readonly finishReason: Types['finishReason']
  /** The stop sequence or the text of the end token that ended the choice. */
  readonly stopText?: string | undefined
  readonly cost: ChoiceCost
  readonly petals?: PetalsBody | undefined
}

export type AnswerEvent<Types extends AnswerTypes> =
  DeltaEvent<Types> | EndEvent<Types> | ({ readonly type: 'wait' } & WaitNotice)

interface JobOptions {
  readonly form: Pick<AnswerForm, 'grammar' | 'param'>
  readonly topLogprobs: number | undefined
  /** The model's own stop sequences, beside those of the request. */
  readonly stop?: readonly string[]
  readonly signal: AbortSignal
}

/** The parts of a job that both APIs read from the same fields. */
export const commonJob = (
  request: ChatRequest | CompletionRequest,
  spec: ModelSpec,
  model: Model,
  { form, topLogprobs, stop = [], signal }: JobOptions,
) => ({
  model,
  choices: request.n ?? 1,
  options: {
    stop: [...toStop(request.stop), ...stop],
    sampling: toSampling(request, spec, model),
    grammar: form.grammar,
    topLogprobs,
    ignoreEos: request.ignore_eos ?? false,
    signal,
  },
  grammarParam: form.param,
})
