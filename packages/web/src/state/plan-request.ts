import type { ChatRequest } from '../api/chat-request.ts'
import { ApiError } from '../api/errors.ts'
import type { ModelInfo } from '../api/models.ts'
import type { TokenCount, TokenizeRequest } from '../api/tokenize.ts'
import { fitToContext, mostTokens, possibleStarts, roomOf, type Fit } from '../chat/fit-context.ts'
import { buildRequest } from '../chat/prompt.ts'
import type { ChatSettings, Message } from '../chat/types.ts'
import type { PlanOptions, PlannedRequest } from './answer-run.ts'

export interface PlanContext {
  readonly findModel: (id: string) => ModelInfo | undefined
  readonly countTokens: (
    request: TokenizeRequest,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<TokenCount>
}

export interface PromptSource {
  readonly model: string
  readonly settings: ChatSettings
  /** From the first message of the branch to the last that the model is to see. */
  readonly path: readonly Message[]
  /** The last message is an answer to go on with. */
  readonly continueLast: boolean
}

/** Prompts that have at most so many bytes are not counted while the model's context is not known: all models hold them. */
const SURELY_SHORT = 1000
/** A prompt that a server refused as too long gets so much less. */
const REFUSED_SHARE = 0.9

/** The request for the next answer: as much of the chat as the model can hold, from the end. */
export async function planRequest(
  { findModel, countTokens }: PlanContext,
  source: PromptSource,
  { shorten, writtenTokens, signal }: PlanOptions,
): Promise<PlannedRequest> {
  const { model, path, continueLast } = source
  const info = findModel(model)
  const maxTokens =
    source.settings.maxTokens === undefined
      ? undefined
      : Math.max(1, source.settings.maxTokens - writtenTokens)
  const build = (start: number): ChatRequest =>
    buildRequest({
      model,
      settings: { ...source.settings, maxTokens },
      path: path.slice(start),
      defaultSystemPrompt: info?.systemPrompt,
      continueLast,
    })
  const whole = build(0)
  if (!shorten && surelyFits(whole, info?.contextLength, maxTokens)) return { request: whole }
  const count = async (start: number): Promise<TokenCount> => {
    const { messages, continue_final_message } = build(start)
    return countTokens({ model, messages, continue_final_message }, { signal }).catch(farTooLong)
  }
  const starts = possibleStarts(path, model)
  const first = await count(starts[0]!)
  const told = first.contextLength ?? (await count(starts.at(-1)!)).contextLength
  const contextLength = Math.min(info?.contextLength ?? Infinity, told ?? Infinity)
  if (!Number.isFinite(contextLength)) return { request: whole }
  const room = roomOf(contextLength, maxTokens)
  const fit = await fitToContext({
    starts,
    room: shorten ? room.prompt * REFUSED_SHARE : room.prompt,
    count: async (start) => (start === starts[0] ? first : await count(start)).tokens,
  })
  return shortened(build(fit.start), fit, path, contextLength)
}

/** Servers don't count a prompt that can't fit by far: they refuse it. */
function farTooLong(error: unknown): TokenCount {
  if (error instanceof ApiError && error.details.kind === 'context-length')
    return { tokens: Infinity, contextLength: undefined }
  throw error
}

function surelyFits(
  request: ChatRequest,
  contextLength: number | undefined,
  maxTokens: number | undefined,
): boolean {
  const most = mostTokens(request)
  if (contextLength === undefined) return most <= SURELY_SHORT && maxTokens === undefined
  const { prompt, context } = roomOf(contextLength, maxTokens)
  return most <= prompt && most + (maxTokens ?? 0) <= context
}

/** An answer can't be longer than the room behind its prompt; servers refuse to be asked for more. */
function shortened(
  request: ChatRequest,
  { start, tokens }: Fit,
  path: readonly Message[],
  contextLength: number,
): PlannedRequest {
  const { max_tokens: wanted } = request
  const left = Math.max(1, contextLength - tokens)
  return {
    request: wanted === undefined ? request : { ...request, max_tokens: Math.min(wanted, left) },
    leftOut: start === 0 ? undefined : { messages: start, firstSeenId: path[start]!.id },
  }
}
