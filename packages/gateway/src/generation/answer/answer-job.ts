import type { ChatRequest, CompletionRequest, PetalsBody } from '@petals-chat/api'
import type {
  GenerationEndEvent,
  Model,
  ModelSpec,
  RemoteEndEvent,
  RemoteModel,
  RemotePartsEvent,
  RemoteRequest,
  Session,
  TextDeltaEvent,
  TextRequest,
  TokenId,
} from '@petals-chat/engine'
import type { WaitNotice } from '../../swarm/swarm-report.ts'
import type { AnswerForm } from '../request/answer-form.ts'
import { predictedTokens } from '../request/predicted-tokens.ts'
import { toStop } from '../request/choices.ts'
import { toSampling } from '../request/sampling.ts'
import type { AnswerHead } from './answer-head.ts'

/** A prompt, and the greatest length of each answer to it. */
export interface PromptJob {
  /** Tokens of the prompt; for a model that another server runs an estimate. */
  readonly promptTokens: number
  /** 0: the prompt is only echoed. */
  readonly maxNewTokens: number
}

/** A prompt for a model with sessions. */
export interface SessionPrompt extends PromptJob {
  readonly tokens: readonly TokenId[]
}

/** A prompt for a model that another server runs. */
export interface RemotePrompt extends PromptJob {
  /** The request for one answer. `choice` counts from 0: each choice has another seed. */
  request(choice: number): RemoteRequest
}

/** The types in which answers to a dialogue and continuations of a text differ. */
export interface AnswerTypes {
  readonly prompt: SessionPrompt
  /** A piece of a choice. */
  readonly delta: unknown
  readonly finishReason: string
}

/** A request for answers, checked against its model and ready to run. */
export interface AnswerJob<Types extends AnswerTypes> {
  readonly head: AnswerHead
  readonly prompts: readonly PromptJob[]
  /** Answers to each prompt. */
  readonly choices: number
  readonly signal: AbortSignal
  readonly work: SessionWork<Types> | RemoteWork<Types>
}

/** Answers that are generated on sessions. */
export interface SessionWork<Types extends AnswerTypes> {
  readonly kind: 'sessions'
  readonly model: Model
  readonly prompts: readonly Types['prompt'][]
  readonly options: Omit<TextRequest, keyof SessionPrompt | 'signal'> & { readonly signal: AbortSignal }
  /** The request field that the answer's grammar was made from. */
  readonly grammarParam: string | undefined
  /**
   * Called once per prompt, on its session and before generation; returns the reader of each choice. `choice` counts
   * from 0 for each prompt.
   */
  start(prompt: Types['prompt'], session: Session): Promise<(choice: number) => ChoiceReader<Types>>
}

/** Answers that another server writes. */
export interface RemoteWork<Types extends AnswerTypes> {
  readonly kind: 'remote'
  readonly model: RemoteModel
  readonly prompts: readonly RemotePrompt[]
  /** Returns the reader of one choice. */
  start(): RemoteReader<Types>
}

/** Turns what another server writes of one choice into pieces. */
export interface RemoteReader<Types extends AnswerTypes> {
  /** Undefined while everything is held back. */
  push(event: RemotePartsEvent): Types['delta'] | undefined
  /** What was held back, if anything. */
  finish?(): Types['delta'] | undefined
  finishReason(end: RemoteEndEvent): Types['finishReason']
}

/** Turns the text of one choice into pieces. */
export interface ChoiceReader<Types extends AnswerTypes> {
  /** The pieces that come before any text. */
  begin?(): readonly Types['delta'][]
  /** Undefined while everything is held back. */
  push(event: TextDeltaEvent): Types['delta'] | undefined
  /** What comes after the text: what was held back, if anything. */
  finish?(end: GenerationEndEvent): Types['delta'] | undefined
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

/** The parts of work on sessions that both APIs read from the same fields. */
export const commonWork = (
  request: ChatRequest | CompletionRequest,
  spec: ModelSpec,
  model: Model,
  { form, topLogprobs, stop = [], signal }: JobOptions,
) => ({
  kind: 'sessions' as const,
  model,
  options: {
    stop: [...toStop(request.stop), ...stop],
    sampling: toSampling(request, spec, model),
    grammar: form.grammar,
    topLogprobs,
    prediction: predictedTokens(request.prediction, model),
    ignoreEos: request.ignore_eos ?? false,
    signal,
  },
  grammarParam: form.param,
})
