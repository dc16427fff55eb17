import type { ChatRequest } from '@petals-chat/api'
import { InvalidRequestError, type Model, type ModelSpec, type TextRequest } from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { answerForm } from '../request/answer-form.ts'
import { chatPrompt } from '../request/chat-prompt.ts'
import { requireLogprobs, toStop } from '../request/choices.ts'
import { answerLength, askedLength } from '../request/limits.ts'
import { toSampling } from '../request/sampling.ts'
import type { ChatAnswerReaderOptions } from '../response/chat-answer-reader.ts'
import { type ResponseHead, responseHead } from '../response/head.ts'

/** A chat request, checked against its model and ready to run. */
export interface ChatJob {
  readonly head: ResponseHead
  readonly model: Model
  readonly text: TextRequest
  readonly choices: number
  readonly reader: ChatAnswerReaderOptions
  readonly logprobs: boolean
  /** The field that the answer's grammar was made from. */
  readonly grammarParam: string | undefined
}

/** Loads the model if need be. @throws InvalidRequestError, ContextLengthError, ModelUnavailableError */
export async function prepareChat(
  { registry, version }: Pick<GatewayContext, 'registry' | 'version'>,
  spec: ModelSpec,
  request: ChatRequest,
  signal: AbortSignal,
): Promise<ChatJob> {
  const model = await registry.get(spec.id, { signal })
  const form = answerForm(request, model)
  const topLogprobs = wantedLogprobs(request, model)
  const prompt = chatPrompt(model, request, form.tools?.tools)
  const maxNewTokens = answerLength(model, spec, {
    promptTokens: prompt.tokens.length,
    requested: askedLength(request),
  })
  return {
    head: responseHead('chatcmpl', spec, version),
    model,
    text: {
      tokens: prompt.tokens,
      maxNewTokens,
      stop: [...toStop(request.stop), ...model.chatTemplate.stopSequences],
      sampling: toSampling(request, spec, model),
      grammar: form.grammar,
      topLogprobs,
      ignoreEos: request.ignore_eos ?? false,
      signal,
    },
    choices: request.n ?? 1,
    reader: {
      tools: form.tools,
      reasoning: reasoning(request, prompt.opensReasoning, form.grammar !== undefined),
    },
    logprobs: topLogprobs !== undefined,
    grammarParam: form.tools?.forced ? 'tools' : form.param,
  }
}

/** A grammar leaves no room for thoughts. */
function reasoning(
  request: ChatRequest,
  open: boolean,
  isForced: boolean,
): ChatAnswerReaderOptions['reasoning'] {
  if (request.reasoning_format === 'none' || isForced) return 'keep'
  return open ? 'open' : 'split'
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
