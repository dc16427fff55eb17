import {
  ContextLengthError,
  generationDefaults,
  InvalidRequestError,
  type Model,
  type ModelSpec,
  type ServedModel,
  type TokenId,
} from '@petals-chat/engine'
import type { GatewayConfig } from '../../config.ts'

export interface Budget {
  readonly promptTokens: number
  /** The length that the client asked for, if it did. */
  readonly requested: number | undefined
  /** The API's maximum for a client that asked for no length, whatever the model's own limit is. */
  readonly unasked?: number | undefined
}

/** The fields that limit the length of an answer, in order of precedence. */
export interface LengthRequest {
  readonly max_completion_tokens?: number | null | undefined
  readonly max_tokens?: number | null | undefined
  readonly max_new_tokens?: number | null | undefined
  readonly n_predict?: number | null | undefined
}

/** The maximum number of tokens that a request asks for. Below 0: until the model ends or the context is full, as in llama-server. */
export function askedLength(request: LengthRequest): number | undefined {
  const asked =
    request.max_completion_tokens ?? request.max_tokens ?? request.max_new_tokens ?? request.n_predict
  if (asked == null) return undefined
  return asked < 0 ? Infinity : asked
}

/** The maximum number of tokens of the answer, within the context. @throws ContextLengthError if the prompt leaves no space. */
export function answerLength(model: Model, spec: ModelSpec, budget: Budget): number {
  const { promptTokens, requested, unasked = Infinity } = budget
  const maximum = Math.min(model.contextLength, spec.maxSessionLength ?? Infinity)
  const room = maximum - promptTokens
  if (room < (requested === 0 ? 0 : 1)) throw tooLong(promptTokens, maximum)
  return Math.min(requested ?? Math.min(generationDefaults(spec, model).max_new_tokens, unasked), room)
}

const tooLong = (prompt: number, maximum: number): ContextLengthError =>
  new ContextLengthError(
    prompt + 1,
    maximum,
    `This model's maximum context length is ${maximum} tokens. However, your prompt has ${prompt} tokens, which leaves ` +
      'no space for an answer. Please shorten the prompt.',
  )

/** What a request asks of a model. */
export interface RequestSize {
  /** The field with the prompts. */
  readonly param: string
  readonly prompts: readonly { readonly promptTokens: number; readonly maxNewTokens: number }[]
  /** Answers to each prompt. */
  readonly choices: number
}

/** @throws InvalidRequestError if a request may take more tokens than `server.maxRequestTokens`, and more than a context. */
export function checkRequestTokens(
  { param, prompts, choices }: RequestSize,
  { contextLength = 0 }: Pick<ServedModel, 'contextLength'>,
  { maxRequestTokens }: Pick<GatewayConfig, 'maxRequestTokens'>,
): void {
  const prompt = prompts.reduce((sum, { promptTokens }) => sum + promptTokens, 0)
  const answers = prompts.reduce((sum, { maxNewTokens }) => sum + choices * maxNewTokens, 0)
  const limit = Math.max(maxRequestTokens, contextLength)
  if (prompt + answers <= limit) return
  const field = prompt > answers ? param : choices > 1 ? 'n' : 'max_tokens'
  throw new InvalidRequestError(
    `Invalid '${field}': this server spends at most ${limit} tokens on one request ` +
      `(server.maxRequestTokens), but the prompts have ${prompt} and the answers may have ${answers}. ` +
      `${field === param ? 'Divide' : "Lower 'max_tokens', or divide"} it into several requests.`,
    { param: field, reason: 'invalid_value' },
  )
}

/** @throws InvalidRequestError that names the first id that is not in the model's vocabulary. */
export function checkTokens(tokens: readonly TokenId[], vocabSize: number, param: string): void {
  const place = tokens.findIndex((token) => token >= vocabSize)
  if (place === -1) return
  throw new InvalidRequestError(
    `Invalid '${param}[${place}]': the model has tokens 0 to ${vocabSize - 1}, not ${tokens[place]}.`,
    { param: `${param}[${place}]`, reason: 'invalid_value' },
  )
}
