import type { AbortOptions } from './abort.ts'
import type { Model, ModelStatus } from './engine.ts'
import type { GenerationParams } from './models/model-spec.ts'
import type { TokenId } from './tokenizer.ts'

/**
 * A model that another server runs, and that speaks of text: that server has the tokenizer and the chat template, samples,
 * stops, and finds thoughts and calls. So a remote model has no sessions; it takes the fields of OpenAI's API, and yields
 * the parts of one answer. It has no `capabilities`: what the server can do, only a request finds out.
 */
export interface RemoteModel extends AsyncDisposable {
  readonly id: string
  /** Maximum number of tokens of prompt and answer together; undefined if the server does not say. */
  readonly contextLength: number | undefined
  readonly generation?: GenerationParams | undefined
  /** Maximum number of answers at the same time; undefined if there is no limit. */
  readonly maxAnswers?: number | undefined
  readonly memoryBytes?: undefined
  /**
   * Asks for one answer, and yields its parts, then its end. Stops the server's work when the caller stops (`break` or the
   * signal).
   * @throws InvalidRequestError, ContextLengthError, CapacityError, ModelUnavailableError before the first part;
   *   GenerationFailedError after it; the signal's reason. Messages name the server.
   */
  answer(request: RemoteRequest, options?: RemoteAnswerOptions): AsyncIterable<RemoteEvent>
  /**
   * Asks for one vector for each input. Stops the server's work when the signal aborts. Absent: no server of this kind makes
   * embeddings. No fallback stands in: vectors of two models can't be compared.
   * @throws InvalidRequestError (`model`) if the server makes no embeddings; ContextLengthError, CapacityError,
   *   ModelUnavailableError, also for an answer that is not one vector for each input; the signal's reason. Messages name
   *   the server.
   */
  embed?(request: RemoteEmbeddingRequest, options?: RemoteAnswerOptions): Promise<RemoteEmbeddings>
  /**
   * Counts the tokens of `messages` (with `tools`) or of a `prompt`: the server's count if it has a route for that, else an
   * estimate. Never fails because of the server.
   */
  tokenize(fields: RemoteRequest['fields'], options?: AbortOptions): Promise<RemoteTokens>
  status(options?: AbortOptions): Promise<ModelStatus>
}

export interface RemoteTokens {
  readonly count: number
  /** Empty if the count is an estimate. */
  readonly tokens: readonly TokenId[]
}

/** A request for one answer. */
export interface RemoteRequest {
  readonly kind: 'chat' | 'completion'
  /** The fields of the API's body, without those that say how the answer is sent (`model`, `stream`, `n`). */
  readonly fields: Readonly<Record<string, unknown>>
}

/** A request for embeddings. */
export interface RemoteEmbeddingRequest {
  /** Texts, or the ids of their tokens in the vocabulary of the server's model. At least one. */
  readonly input: readonly (string | readonly TokenId[])[]
  /** Length of the vectors; undefined: the model's own. A server may ignore it. */
  readonly dimensions?: number | undefined
}

/** Vectors as the server gives them: of equal length, mostly of L2 norm 1, one for each input in their order. */
export interface RemoteEmbeddings {
  readonly vectors: readonly Float32Array[]
  readonly usage: Pick<RemoteUsage, 'promptTokens' | 'isEstimated'>
}

export interface RemoteAnswerOptions extends AbortOptions {
  /** Names the servers that the request has passed, as in the header `Via`, so that servers find out that they ask each other in a circle. */
  readonly via?: string | undefined
}

/** A piece of an answer. No text is empty. */
export type RemotePart =
  | { readonly type: 'content'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  /** A call begins; calls of one answer count from 0. */
  | { readonly type: 'tool-call'; readonly index: number; readonly id: string; readonly name: string }
  | { readonly type: 'tool-arguments'; readonly index: number; readonly text: string }

export type RemoteEvent = RemotePartsEvent | RemoteEndEvent

/** Parts that arrived together. */
export interface RemotePartsEvent {
  readonly type: 'parts'
  readonly parts: readonly RemotePart[]
  /** The tokens of the parts, if the request asked for their log probabilities. */
  readonly tokens: readonly ScoredToken[]
}

/** A token as a text, and how probable it was. */
export interface ScoredToken extends TextLogprob {
  /** The most probable tokens at its place, the most probable one first. */
  readonly top: readonly TextLogprob[]
}

export interface TextLogprob {
  readonly text: string
  /** The bytes of the text in UTF-8; null if the token is a part of a character, or if they are not known. */
  readonly bytes: readonly number[] | null
  /** Natural logarithm of the probability; undefined for the first token of a prompt, which has none. */
  readonly logprob: number | undefined
}

/** The end of an answer. */
export interface RemoteEndEvent {
  readonly type: 'end'
  readonly finishReason: 'stop' | 'length' | 'tool_calls'
  /** The stop sequence that ended the answer, if the server says so. */
  readonly stopText?: string | undefined
  readonly usage: RemoteUsage
}

/** What an answer took, in tokens of the server's tokenizer. */
export interface RemoteUsage {
  readonly promptTokens: number
  /** The part of `promptTokens` that was in a KV cache. */
  readonly cachedTokens: number
  readonly completionTokens: number
  /** The server did not count: these are estimates from the lengths of the texts. */
  readonly isEstimated: boolean
}

/** A model as the registry serves it. */
export type ServedModel = Model | RemoteModel

export const isRemoteModel = (model: ServedModel): model is RemoteModel => 'answer' in model

/** Characters of a token of English text. */
const CHARACTERS_PER_TOKEN = 4

/** Estimates the tokens of a text whose tokenizer is elsewhere. */
export const estimateTokens = (text: string): number => Math.ceil(text.length / CHARACTERS_PER_TOKEN)

/** Estimates the tokens of one input of a request for embeddings. No input has none. */
export const estimateInput = (input: string | readonly TokenId[]): number =>
  typeof input === 'string' ? Math.max(estimateTokens(input), 1) : input.length
