import type { ChatRequest } from '@petals-chat/api'
import { InvalidRequestError, type Model, type ModelSpec } from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { type AnswerJob, commonJob } from '../answer/answer-job.ts'
import { answerForm } from '../request/answer-form.ts'
import { chatPrompt } from '../request/chat-prompt.ts'
import { requireLogprobs } from '../request/choices.ts'
import { answerLength, askedLength } from '../request/limits.ts'
import type { ChatAnswerReaderOptions } from '../response/chat-answer-reader.ts'
import { responseHead } from '../response/head.ts'

export interface ChatJob extends AnswerJob {
  readonly reader: ChatAnswerReaderOptions
  readonly logprobs: boolean
}

/** Loads the model if necessary. @throws InvalidRequestError, ContextLengthError, ModelUnavailableError */
export async function prepareChat(
  { registry, version }: Pick<GatewayContext, 'registry' | 'version'>,
  spec: ModelSpec,
  request: ChatRequest,
  signal: AbortSignal,
): Promise<ChatJob> {
  const model = await registry.get(spec.id, { signal })
  const form = answerForm(request, model)
  const topLogprobs = wantedLogprobs(request, model)
  const { tokens, opensReasoning } = chatPrompt(model, request, form.tools?.tools)
  const requested = askedLength(request)
  const maxNewTokens = answerLength(model, spec, { promptTokens: tokens.length, requested })
  return {
    ...commonJob(request, spec, model, {
      form: form.tools?.forced ? { ...form, param: 'tools' } : form,
      topLogprobs,
      stop: model.chatTemplate.stopSequences,
      signal,
    }),
    head: responseHead('chatcmpl', spec, version),
    prompts: [{ tokens, maxNewTokens }],
    reader: { tools: form.tools, reasoning: reasoning(request, opensReasoning, form.grammar !== undefined) },
    logprobs: topLogprobs !== undefined,
  }
}

/** A grammar leaves no room for thoughts. */
function reasoning(
  request: ChatRequest,
  isOpen: boolean,
  hasGrammar: boolean,
): ChatAnswerReaderOptions['reasoning'] {
  if (request.reasoning_format === 'none' || hasGrammar) return 'keep'
  return isOpen ? 'open' : 'split'
}

function wantedLogprobs(request: ChatRequest, model: Model): number | undefined {
  const { logprobs, top_logprobs: top } = request
  if (logprobs) {
    requireLogprobs(model, 'logprobs', 'logprobs')
    return top ?? (typeof logprobs === 'number' ? logprobs : 0)
  }
  if (!top) return undefined
  throw new InvalidRequestError(`'top_logprobs' is only allowed when 'logprobs' is true.`, {
    param: 'top_logprobs',
    reason: 'invalid_value',
  })
}
