import type { ChatRequest, CompletionRequest } from '@petals-chat/api'
import type { Model, ModelSpec, TextRequest, TokenId } from '@petals-chat/engine'
import type { AnswerForm } from '../request/answer-form.ts'
import { toStop } from '../request/choices.ts'
import { toSampling } from '../request/sampling.ts'
import type { ResponseHead } from '../response/head.ts'

/** A prompt, and the greatest length of each answer to it. */
export interface PromptJob {
  readonly tokens: readonly TokenId[]
  /** 0: the prompt is only echoed. */
  readonly maxNewTokens: number
}

/** A request for answers, checked against its model and ready to run. */
export interface AnswerJob<Prompt extends PromptJob = PromptJob> {
  readonly head: ResponseHead
  readonly model: Model
  readonly prompts: readonly Prompt[]
  /** Answers to each prompt. */
  readonly choices: number
  readonly options: Omit<TextRequest, keyof PromptJob>
  /** The request field that the answer's grammar was made from. */
  readonly grammarParam: string | undefined
}

interface JobOptions {
  readonly form: Pick<AnswerForm, 'grammar' | 'param'>
  readonly topLogprobs: number | undefined
  /** Stop sequences of the model's own, besides those of the request. */
  readonly stop?: readonly string[]
  readonly signal: AbortSignal
}

/** The parts of a job that chat completions and completions read from the same fields. */
export function commonJob(
  request: ChatRequest | CompletionRequest,
  spec: ModelSpec,
  model: Model,
  { form, topLogprobs, stop = [], signal }: JobOptions,
): Pick<AnswerJob, 'model' | 'choices' | 'options' | 'grammarParam'> {
  return {
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
  }
}
