import type { CompletionRequest } from '@petals-chat/api'
import { isRemoteModel, type ModelSpec } from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import { commonWork } from '../answer/answer-job.ts'
import { requireGrammar } from '../request/answer-form.ts'
import { requireLogprobs } from '../request/choices.ts'
import { encodePrompts } from '../request/encode-prompts.ts'
import { wantedForm } from '../request/forms.ts'
import { answerLength, askedLength, checkRequestTokens } from '../request/limits.ts'
import { type Passed, requireNonePassed } from '../request/parse-request.ts'
import { answerHead } from '../answer/answer-head.ts'
import { defaultMaxTokens, wantedLogprobs } from './wanted-completion.ts'
import { prepareRemoteCompletion } from './prepare-remote-completion.ts'
import { type CompletionJob, type PreparedPrompt, startCompletion } from './completion-choice-reader.ts'

/** Loads the model if necessary. @throws InvalidRequestError, ContextLengthError, ModelUnavailableError */
export async function prepareCompletion(
  { registry, version, config }: Pick<GatewayContext, 'registry' | 'version' | 'config'>,
  spec: ModelSpec,
  request: CompletionRequest & Passed,
  signal: AbortSignal,
): Promise<CompletionJob> {
  const model = await registry.load(spec.id, { signal })
  if (isRemoteModel(model)) return prepareRemoteCompletion(model, { spec, request, signal, version, config })
  requireNonePassed(request)
  const topLogprobs = wantedLogprobs(request.logprobs)
  if (topLogprobs !== undefined) requireLogprobs(model, 'logprobs', 'logprobs')
  if (topLogprobs !== undefined && request.echo) requireLogprobs(model, 'echo', 'promptLogprobs')
  const form = wantedForm(request) ?? {}
  requireGrammar(form, model)
  const requested = askedLength(request)
  const encoded = await encodePrompts(request.prompt, model, 'prompt')
  const prompts = encoded.map((prompt): PreparedPrompt => {
    const budget = { promptTokens: prompt.tokens.length, requested, unasked: defaultMaxTokens }
    return { ...prompt, promptTokens: prompt.tokens.length, maxNewTokens: answerLength(model, spec, budget) }
  })
  checkRequestTokens({ param: 'prompt', prompts, choices: request.n ?? 1 }, model, config)
  const work = commonWork(request, spec, model, { form, topLogprobs, signal })
  const echo = request.echo ?? false
  return {
    head: answerHead(spec, version),
    prompts,
    choices: request.n ?? 1,
    signal,
    logprobs: topLogprobs !== undefined,
    echo,
    work: {
      ...work,
      prompts,
      start: (prompt, session) => startCompletion({ ...work, echo }, prompt, session),
    },
  }
}
