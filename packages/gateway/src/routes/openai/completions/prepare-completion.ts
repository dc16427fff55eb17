import type { CompletionPrompt, CompletionRequest } from '@petals-chat/api'
import { setImmediate } from 'node:timers/promises'
import {
  ContextLengthError,
  InvalidRequestError,
  type Model,
  type ModelSpec,
  type TextRequest,
  type TokenId,
} from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { assertMayFit } from '../../prompt-length.ts'
import { requireGrammar } from '../request/answer-form.ts'
import { wantedForm } from '../request/forms.ts'
import { requireLogprobs, toStop } from '../request/choices.ts'
import { answerLength, askedLength, checkTokens } from '../request/limits.ts'
import { toSampling } from '../request/sampling.ts'
import { type ResponseHead, responseHead } from '../response/head.ts'

export interface EncodedPrompt {
  readonly text: string
  readonly tokens: readonly TokenId[]
}

export interface PreparedPrompt extends EncodedPrompt {
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
  /** The field that the answer's grammar was made from. */
  readonly grammarParam: string | undefined
}

/** What a completion has at most where its request does not say: OpenAI's and vLLM's default. */
export const defaultMaxTokens = 16

/** Loads the model if need be. @throws InvalidRequestError, ContextLengthError, ModelUnavailableError */
export async function prepareCompletion(
  { registry, version }: Pick<GatewayContext, 'registry' | 'version'>,
  spec: ModelSpec,
  request: CompletionRequest,
  signal: AbortSignal,
): Promise<CompletionJob> {
  const model = await registry.get(spec.id, { signal })
  const topLogprobs = wantedLogprobs(request.logprobs)
  if (topLogprobs !== undefined) requireLogprobs(model, 'logprobs', 'logprobs')
  if (topLogprobs !== undefined && request.echo) requireLogprobs(model, 'echo', 'promptLogprobs')
  const form = wantedForm(request)
  requireGrammar({ ...form }, model)
  const encoded = await encodePrompts(request.prompt, model, 'prompt')
  const prompts = encoded.map((prompt): PreparedPrompt => {
    const budget = {
      promptTokens: prompt.tokens.length,
      requested: askedLength(request),
      unasked: defaultMaxTokens,
    }
    return { ...prompt, maxNewTokens: answerLength(model, spec, budget) }
  })
  return {
    head: responseHead('cmpl', spec, version),
    model,
    prompts,
    options: {
      stop: toStop(request.stop),
      sampling: toSampling(request, spec, model),
      grammar: form?.grammar,
      topLogprobs,
      ignoreEos: request.ignore_eos ?? false,
      signal,
    },
    choices: request.n ?? 1,
    echo: request.echo ?? false,
    grammarParam: form?.param,
  }
}

/** 0 asks for the log probability of the token itself, and so does true; false asks for nothing. */
function wantedLogprobs(logprobs: CompletionRequest['logprobs']): number | undefined {
  if (logprobs === true) return 0
  return logprobs === false ? undefined : (logprobs ?? undefined)
}

/** One text or one list of ids stands for a list of one. */
export function promptsOf(prompt: CompletionPrompt): readonly (string | TokenId[])[] {
  if (typeof prompt === 'string') return [prompt]
  return typeof prompt[0] === 'number' ? [prompt as TokenId[]] : (prompt as (string | TokenId[])[])
}

/** One after another, with room for others in between. Errors name `param` and the place in it. */
export async function encodePrompts(
  prompt: CompletionPrompt,
  model: Pick<Model, 'tokenizer' | 'contextLength'>,
  param: string,
): Promise<readonly EncodedPrompt[]> {
  const prompts = promptsOf(prompt)
  const encoded: EncodedPrompt[] = []
  for (const [index, one] of prompts.entries()) {
    encoded.push(encodePrompt(one, model, prompts.length > 1 ? `${param}[${index}]` : param))
    await setImmediate()
  }
  return encoded
}

/** Texts get what the tokenizer adds (BOS); token ids are taken as they are. */
function encodePrompt(
  prompt: string | readonly TokenId[],
  { tokenizer, contextLength }: Pick<Model, 'tokenizer' | 'contextLength'>,
  param: string,
): EncodedPrompt {
  if (typeof prompt !== 'string') {
    checkTokens(prompt, tokenizer.vocabSize, param)
    if (prompt.length > contextLength) throw new ContextLengthError(prompt.length, contextLength)
    return { text: tokenizer.decode(prompt, { skipSpecialTokens: true }), tokens: prompt }
  }
  assertMayFit(prompt, { tokenizer, contextLength })
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
