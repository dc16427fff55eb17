import type { ChatRequest } from '../api/chat-request.ts'
import { ApiError } from '../api/errors.ts'
import type { ModelInfo } from '../api/models.ts'
import type { TokenCount, TokenizeRequest } from '../api/tokenize.ts'
import { fitEnd, fitToContext, maxTokensOf, possibleStarts, roomOf, type Fit } from '../chat/fit-context.ts'
import { buildRequest, type OfferedTools } from '../chat/prompt.ts'
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
  /** The messages of the branch, from the first to the last that the model is to see. */
  readonly path: readonly Message[]
  /** The last message is an answer to continue. */
  readonly continueLast: boolean
  readonly tools?: OfferedTools | undefined
}

/** Prompts of at most this many bytes are not counted while the model's context is unknown: they fit every model. */
const SURELY_SHORT = 1000
/** A prompt that the server refused as too long is shortened to this share. */
const REFUSED_SHARE = 0.9

/** Builds the request for the next answer, with as much of the end of the chat as the model can hold. */
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
  const build = (start: number, keep = Infinity): ChatRequest =>
    buildRequest({
      model,
      settings: { ...source.settings, maxTokens },
      path: withEnd(path.slice(start), keep),
      defaultSystemPrompt: info?.systemPrompt,
      continueLast,
      tools: source.tools,
    })
  const whole = build(0)
  if (!shorten && surelyFits(whole, info?.contextLength, maxTokens)) return { request: whole }
  const count = async (start: number, keep?: number): Promise<TokenCount> => {
    const { messages, tools, continue_final_message } = build(start, keep)
    return countTokens({ model, messages, tools, continue_final_message }, { signal }).catch(farTooLong)
  }
  const starts = possibleStarts(path, model)
  const first = await count(starts[0]!)
  const reported =
    first.contextLength ??
    (await count(starts.at(-1)!)).contextLength ??
    (continueLast ? (await count(starts.at(-1)!, 1)).contextLength : undefined)
  const contextLength = Math.min(info?.contextLength ?? Infinity, reported ?? Infinity)
  if (!Number.isFinite(contextLength)) return { request: whole }
  const { prompt } = roomOf(contextLength, maxTokens)
  const room = shorten ? prompt * REFUSED_SHARE : prompt
  const fit = await fitToContext({
    starts,
    room,
    count: async (start) => (start === starts[0] ? first : await count(start)).tokens,
  })
  const answer = path.at(-1)?.content.length ?? 0
  const end =
    continueLast && fit.tokens > room
      ? await fitEnd(answer, room, async (keep) => (await count(fit.start, keep)).tokens)
      : undefined
  const tokens = end?.tokens ?? fit.tokens
  const planned = shortened(build(fit.start, end?.keep), { ...fit, tokens }, path, contextLength)
  if (!end || end.keep >= answer) return planned
  const leftOut = planned.leftOut ?? { messages: 0, firstSeenId: path[0]!.id }
  return { ...planned, leftOut: { ...leftOut, partOfAnswer: true } }
}

/** Returns the branch with only the last `keep` characters of its last message. */
function withEnd(path: readonly Message[], keep: number): readonly Message[] {
  const last = path.at(-1)
  if (!last || last.content.length <= keep) return path
  return [...path.slice(0, -1), { ...last, reasoning: undefined, content: endOf(last.content, keep) }]
}

/** Cuts before a nearby word: a model can't continue well from half a word. */
function endOf(text: string, keep: number): string {
  const end = text.slice(-keep)
  const space = end.search(/\s/)
  return space >= 0 && space < end.length / 4 ? end.slice(space + 1) : end
}

/** Servers refuse to count a prompt that is far too long. */
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
  const most = maxTokensOf(request)
  if (contextLength === undefined) return most <= SURELY_SHORT && maxTokens === undefined
  const { prompt, context } = roomOf(contextLength, maxTokens)
  return most <= prompt && most + (maxTokens ?? 0) <= context
}

/** Limits an answer to the room after its prompt; servers refuse requests for more. */
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
