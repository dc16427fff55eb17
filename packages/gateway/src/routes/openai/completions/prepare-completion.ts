import {
  InvalidRequestError,
  type Model,
  type TextRequest,
  type TokenId,
  type Tokenizer,
} from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { loadModel } from '../load-model.ts'
import { requireLogprobs, toStop } from '../request/choices.ts'
import { answerLength, checkTokens } from '../request/limits.ts'
import { toSampling } from '../request/sampling.ts'
import { type ResponseHead, responseHead } from '../response/head.ts'
import type { CompletionPrompt, CompletionRequest } from '../schemas/completion-request.ts'

export interface PreparedPrompt {
  readonly text: string
  readonly tokens: readonly TokenId[]
  /** 0: the prompt is only echoed. */
  readonly maxNewTokens: number
}

/** A completion request, checked against its model and ready to run. */
export interface CompletionJob {
  readonly head: ResponseHead
  readonly model: Model
  readonly prompts: readonly PreparedPrompt[]
  readonly options: Omit<TextRequest, 'tokens' | 'maxNewTokens'>
  /** Of every prompt. */
  readonly choices: number
  readonly echo: boolean
}

/** What completions answer at most where nobody says anything: OpenAI's default. */
const defaultMaxTokens = 16

/** Loads the model if need be. @throws InvalidRequestError, ContextLengthError, ModelNotFoundError, ModelUnavailableError */
export async function prepareCompletion(
  context: GatewayContext,
  request: CompletionRequest,
  signal: AbortSignal,
): Promise<CompletionJob> {
  const { spec, model } = await loadModel(context, request.model, signal)
  if (request.logprobs != null) requireLogprobs(model, 'logprobs', 'logprobs')
  if (request.logprobs != null && request.echo) requireLogprobs(model, 'echo', 'promptLogprobs')
  const prompts = promptsOf(request.prompt).map((prompt, index, all): PreparedPrompt => {
    const encoded = encodePrompt(prompt, model.tokenizer, all.length > 1 ? `prompt[${index}]` : 'prompt')
    const budget = {
      promptTokens: encoded.tokens.length,
      requested: request.max_tokens ?? undefined,
      fallback: defaultMaxTokens,
    }
    return { ...encoded, maxNewTokens: answerLength(model, spec, budget) }
  })
  return {
    head: responseHead('cmpl', spec, context.version),
    model,
    prompts,
    options: {
      stop: toStop(request.stop),
      sampling: toSampling(request, spec, model.tokenizer.vocabSize),
      topLogprobs: request.logprobs ?? undefined,
      ignoreEos: request.ignore_eos ?? false,
      signal,
    },
    choices: request.n ?? 1,
    echo: request.echo ?? false,
  }
}

/** One text or one list of ids stands for a list of one. */
export function promptsOf(prompt: CompletionPrompt): readonly (string | TokenId[])[] {
  if (typeof prompt === 'string') return [prompt]
  return typeof prompt[0] === 'number' ? [prompt as TokenId[]] : (prompt as (string | TokenId[])[])
}

/** Texts get what the tokenizer adds (BOS); token ids are taken as they are. */
export function encodePrompt(
  prompt: string | readonly TokenId[],
  tokenizer: Tokenizer,
  param: string,
): { readonly text: string; readonly tokens: readonly TokenId[] } {
  if (typeof prompt !== 'string') {
    checkTokens(prompt, tokenizer.vocabSize, param)
    return { text: tokenizer.decode(prompt, { skipSpecialTokens: true }), tokens: prompt }
  }
  const tokens = tokenizer.encode(prompt, { addSpecialTokens: true })
  if (tokens.length > 0) return { text: prompt, tokens }
  throw new InvalidRequestError(
    `Invalid '${param}': it has no token for the model to go on from. Send some text.`,
    {
      param,
      reason: 'empty_string',
    },
  )
}
