import type { ChatRequest } from '@petals-chat/api'
import { InvalidRequestError, isRemoteModel, type Model, type ModelSpec } from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import { commonWork } from '../answer/answer-job.ts'
import { answerForm } from '../request/answer-form.ts'
import { chatPrompt } from '../request/chat-prompt.ts'
import { requireLogprobs } from '../request/choices.ts'
import { answerLength, askedLength, checkRequestTokens } from '../request/limits.ts'
import { type Passed, requireNonePassed } from '../request/parse-request.ts'
import type { ChatAnswerReaderOptions } from './chat-answer-reader.ts'
import { answerHead } from '../answer/answer-head.ts'
import { ChatChoiceReader, type ChatJob } from './chat-choice-reader.ts'
import { prepareRemoteChat } from './prepare-remote-chat.ts'

/** Loads the model if necessary. @throws InvalidRequestError, ContextLengthError, ModelUnavailableError */
export async function prepareChat(
  { registry, version, config }: Pick<GatewayContext, 'registry' | 'version' | 'config'>,
  spec: ModelSpec,
  request: ChatRequest & Passed,
  signal: AbortSignal,
): Promise<ChatJob> {
  const model = await registry.load(spec.id, { signal })
  if (isRemoteModel(model)) return prepareRemoteChat(model, { spec, request, signal, version, config })
  requireNonePassed(request)
  const form = answerForm(request, model)
  const topLogprobs = wantedLogprobs(request, model)
  const { tokens, opensReasoning } = chatPrompt(model, request, form.tools?.tools)
  const requested = askedLength(request)
  const maxNewTokens = answerLength(model, spec, { promptTokens: tokens.length, requested })
  const prompts = [{ tokens, promptTokens: tokens.length, maxNewTokens }]
  checkRequestTokens({ param: 'messages', prompts, choices: request.n ?? 1 }, model, config)
  const reader = {
    tools: form.tools,
    reasoning: reasoning(request, opensReasoning, form.grammar !== undefined),
  }
  const tokenizer = topLogprobs === undefined ? undefined : model.tokenizer
  return {
    head: answerHead(spec, version),
    prompts,
    choices: request.n ?? 1,
    signal,
    reader,
    logprobs: topLogprobs !== undefined,
    work: {
      ...commonWork(request, spec, model, {
        form: form.tools?.forced ? { ...form, param: 'tools' } : form,
        topLogprobs,
        stop: model.chatTemplate.stopSequences,
        signal,
      }),
      prompts,
      start: async () => () => new ChatChoiceReader(reader, tokenizer),
    },
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
