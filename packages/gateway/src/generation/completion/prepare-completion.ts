import type { CompletionRequest } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import { commonJob } from '../answer/answer-job.ts'
import { requireGrammar } from '../request/answer-form.ts'
import { requireLogprobs } from '../request/choices.ts'
import { encodePrompts } from '../request/encode-prompts.ts'
import { wantedForm } from '../request/forms.ts'
import { answerLength, askedLength, checkRequestTokens } from '../request/limits.ts'
import { answerHead } from '../answer/answer-head.ts'
import { type CompletionJob, type PreparedPrompt, startCompletion } from './completion-choice-reader.ts'

/** The greatest length of a completion whose request gives none: the default of OpenAI and vLLM. */
const defaultMaxTokens = 16

/** Loads the model if necessary. @throws InvalidRequestError, ContextLengthError, ModelUnavailableError */
export async function prepareCompletion(
  { registry, version, config }: Pick<GatewayContext, 'registry' | 'version' | 'config'>,
  spec: ModelSpec,
  request: CompletionRequest,
  signal: AbortSignal,
): Promise<CompletionJob> {
  const model = await registry.get(spec.id, { signal })
  const topLogprobs = wantedLogprobs(request.logprobs)
  if (topLogprobs !== undefined) requireLogprobs(model, 'logprobs', 'logprobs')
  if (topLogprobs !== undefined && request.echo) requireLogprobs(model, 'echo', 'promptLogprobs')
  const form = wantedForm(request) ?? {}
  requireGrammar(form, model)
  const requested = askedLength(request)
  const encoded = await encodePrompts(request.prompt, model, 'prompt')
  const prompts = encoded.map((prompt): PreparedPrompt => {
    const budget = { promptTokens: prompt.tokens.length, requested, unasked: defaultMaxTokens }
    return { ...prompt, maxNewTokens: answerLength(model, spec, budget) }
  })
  checkRequestTokens({ param: 'prompt', prompts, choices: request.n ?? 1 }, model, config)
  const job: CompletionJob = {
    ...commonJob(request, spec, model, { form, topLogprobs, signal }),
    head: answerHead(spec, version),
    prompts,
    echo: request.echo ?? false,
    start: (prompt, session) => startCompletion(job, prompt, session),
  }
  return job
}

/** 0 and true ask for the log probability of the token itself; false asks for none. */
function wantedLogprobs(logprobs: CompletionRequest['logprobs']): number | undefined {
  if (logprobs === true) return 0
  return logprobs === false ? undefined : (logprobs ?? undefined)
}
