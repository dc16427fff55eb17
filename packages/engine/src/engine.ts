import type { AbortOptions } from './abort.ts'
import type { ChatTemplate } from './chat/chat-template.ts'
import type { Logger } from './logger.ts'
import type { GenerationParams, ModelSpec } from './models/model-spec.ts'
import type { SamplingParams } from './sampling-params.ts'
import type { RouteReport, SwarmWait } from './swarm/swarm-status.ts'
import type { TokenId, Tokenizer } from './tokenizer.ts'

/**
 * Loads and runs models.
 *
 * @typeParam Spec - the model entries that this engine takes: the common part with the engine's own keys
 */
export interface Engine<in Spec extends ModelSpec = ModelSpec> extends AsyncDisposable {
  /** The value of `ModelSpec.engine` that selects this engine. */
  readonly name: string
  /** Downloads missing files and makes the model ready. @throws ModelUnavailableError that says what to do */
  load(spec: Spec, options?: LoadOptions): Promise<Model>
}

export interface LoadOptions extends AbortOptions {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** Progress of a load, reported often enough for a progress bar (about 4 times a second). */
export interface LoadProgress {
  readonly phase: 'download' | 'verify' | 'load' | 'connect'
  /** The current item, for people: a file name, a step. */
  readonly label: string
  /** Amount done so far and in total, in `unit`; `total` is absent if it is unknown. */
  readonly done: number
  readonly total?: number | undefined
  readonly unit: 'bytes' | 'blocks' | 'percent'
}

/** A loaded model. Its sessions run concurrently. */
export interface Model extends AsyncDisposable {
  readonly id: string
  /** Maximum number of tokens of prompt and answer together. */
  readonly contextLength: number
  readonly tokenizer: Tokenizer
  readonly chatTemplate: ChatTemplate
  readonly capabilities: ModelCapabilities
  /** Sampling that the model's own files recommend; absent if they recommend none. `generationDefaults` applies it. */
  readonly generation?: GenerationParams | undefined
  /** Maximum number of open sessions; absent if there is no limit. */
  readonly maxSessions?: number | undefined
  /** What is known of the room for more sessions, if others take it, too. Absent: there is room for `maxSessions`. */
  readonly room?: SessionRoom | undefined
  /** Bytes of this machine's memory that the loaded model takes, without sessions; absent if the engine does not know. */
  readonly memoryBytes?: number | undefined
  /** @throws CapacityError when `maxSessions` are open, ContextLengthError when `maxLength` exceeds `contextLength`. */
  openSession(options: SessionOptions): Promise<Session>
  /** The pooled embedding of a text (float32, length = hidden size, L2 norm 1). Present if `capabilities.embeddings`. */
  embed?(tokens: readonly TokenId[], options?: AbortOptions): Promise<Float32Array>
  status(options?: AbortOptions): Promise<ModelStatus>
}

/** The room for KV caches of sessions that are not opened yet, on machines which other programs use, too. */
export interface SessionRoom {
  /** Reports whether there is room for `count` more sessions like this one, as far as is known. Asks no server. */
  has(session: PlannedSession, count: number): boolean
  /** Finds out again how much room there is. Never throws. For use now and then while a session waits. */
  look(session: PlannedSession, options?: AbortOptions): Promise<void>
}

/** A session that is going to be opened. */
export interface PlannedSession {
  /** Tokens of its prompt. */
  readonly promptLength: number
  /** Capacity in tokens of prompt and answer together. */
  readonly maxLength: number
}

/** Features beyond plain generation. A request for one that the engine lacks throws InvalidRequestError. */
export interface ModelCapabilities {
  /** `GenerateOptions.grammar`: JSON schema and JSON object answers, tool calls. */
  readonly grammar: boolean
  /** `GenerateOptions.topLogprobs`. */
  readonly logprobs: boolean
  /** `Session.score`. */
  readonly promptLogprobs: boolean
  readonly embeddings: boolean
}

export interface ModelStatus {
  readonly state: 'ready' | 'degraded' | 'unavailable'
  /** A sentence for the user, if there is something to report. */
  readonly detail?: string | undefined
}

export interface SessionOptions extends AbortOptions {
  /** Capacity in tokens of prompt and answer together. */
  readonly maxLength: number
  readonly logger?: Logger | undefined
  /**
   * Closes sessions that no request uses; resolves with false if there are none. An engine calls it when a step finds no room
   * for the session's KV cache, and the sessions of this model may be what takes the room.
   */
  readonly makeRoom?: (() => Promise<boolean>) | undefined
}

/** One dialogue's KV cache. One call at a time; a second call while one runs is an error. */
export interface Session extends AsyncDisposable {
  readonly maxLength: number
  /** Tokens whose keys and values are in the KV cache. */
  readonly tokens: readonly TokenId[]
  /**
   * Prefills `tokens` (at least one), then decodes: one token per iteration, until the caller stops (`break` or the
   * signal; the engine then stops within one step) or `maxNewTokens` are yielded. End-of-text tokens are yielded like any other: the caller decides
   * whether to stop. The last yielded token is not yet in the KV cache: a caller that continues passes it in.
   * The cache never holds more than `maxLength` tokens: P prompt tokens leave `maxLength` - P + 1 tokens for the answer.
   * @throws ContextLengthError before any work if `tokens` don't fit, and on the step that would pass `maxLength`;
   *   InvalidRequestError for options out of range (`validateGenerateOptions`), for a second call while one runs;
   *   the signal's reason. After any error `tokens` still tells what is in the cache.
   */
  generate(tokens: readonly TokenId[], options: GenerateOptions): AsyncIterable<GeneratedToken>
  /**
   * Does in advance the part of the next call that needs no tokens: for instance, reserves KV memory on the servers of a
   * swarm. The caller need not await it: `generate` waits for it, or starts without it. The engine releases what no call
   * has used after a while. Present if it saves time.
   * @throws like `generate`; the session stays usable.
   */
  prewarm?(options?: PrewarmOptions): Promise<void>
  /**
   * Prefills `tokens` and gives the log probability of each, given all before it (the very first token of a session has
   * none). Present if `capabilities.promptLogprobs`.
   */
  score?(tokens: readonly TokenId[], options?: ScoreOptions): Promise<readonly TokenScore[]>
  /** Reports the servers that tokens pass through now, and those that failed. Present in engines that use servers. */
  route?(): RouteReport
  /**
   * Returns the bytes of this process's memory that the session holds. Present in engines whose sessions hold much here, such
   * as the inputs that are sent again when a server of a swarm is lost.
   */
  memoryBytes?(): number
  /**
   * Counts the tokens that were guessed in advance, over all answers of the session. Present in engines that guess tokens,
   * so that the model can check several in one step.
   */
  drafts?(): DraftCount
  /** Drops everything after the first `length` tokens, 0 ≤ length ≤ tokens.length. @throws InvalidRequestError */
  truncate(length: number, options?: AbortOptions): Promise<void>
}

/** Tokens that were guessed in advance. */
export interface DraftCount {
  /** The model's own choice, too. They are part of the answer. */
  readonly accepted: number
  readonly rejected: number
}

export interface PrewarmOptions extends AbortOptions {
  /** Tokens expected next; default: those of a typical first message. If more tokens come, the work is discarded. */
  readonly promptLength?: number | undefined
}

export interface WaitOptions {
  /**
   * Called when the engine starts to wait for something external, when the wait changes, and with undefined when the
   * engine continues. Nothing has failed yet; a caller that does not want to wait aborts.
   */
  readonly onWait?: ((wait: SwarmWait | undefined) => void) | undefined
}

export interface GenerateOptions extends AbortOptions, WaitOptions {
  readonly sampling: SamplingParams
  /** Return log probabilities of the chosen token and of this many most probable ones (0 … 20). Absent: none. */
  readonly topLogprobs?: number | undefined
  /** Restricts the answer to this form. */
  readonly grammar?: Grammar | undefined
  /**
   * The most tokens that the caller takes: the iteration ends after them, and nothing is computed for later ones. Absent:
   * until the caller stops.
   */
  readonly maxNewTokens?: number | undefined
  /** Tokens that the answer is expected to repeat for the most part. They can make it faster, and never change it. */
  readonly prediction?: readonly TokenId[] | undefined
}

/** The form of an answer. */
export type Grammar =
  | JsonGrammar
  | { readonly type: 'gbnf'; readonly source: string }
  /** The whole answer matches a regular expression (ECMA 262). */
  | { readonly type: 'regex'; readonly pattern: string }
  | { readonly type: 'either'; readonly forms: readonly FramedGrammar[] }

/** An answer in JSON. */
export type JsonGrammar =
  | { readonly type: 'json-object' }
  | (SchemaDocument & {
      readonly type: 'json-schema'
      /** Name of the schema in errors (`param`); default `grammar`. */
      readonly name?: string | undefined
      /** Further schemas, to which `$ref` refers by name; errors use these names, too. */
      readonly documents?: Readonly<Record<string, SchemaDocument>> | undefined
    })

/** A JSON schema. Its references are relative to its own root. */
export interface SchemaDocument {
  readonly schema: unknown
  /** True (default): what a grammar can't express is refused. False: it is ignored. */
  readonly strict?: boolean | undefined
}

/** JSON between fixed texts. */
export interface FramedGrammar {
  readonly before?: string | undefined
  readonly after?: string | undefined
  readonly grammar: JsonGrammar
}

export interface TokenLogprob {
  readonly token: TokenId
  /** Natural logarithm of the model's probability, before temperature and filters. */
  readonly logprob: number
}

export interface GeneratedToken {
  readonly token: TokenId
  readonly logprob?: number | undefined
  /** Most probable first. */
  readonly topLogprobs?: readonly TokenLogprob[] | undefined
}

export interface ScoreOptions extends AbortOptions, WaitOptions {
  /** 0 … 20, default 0. */
  readonly topLogprobs?: number | undefined
}

export interface TokenScore {
  readonly token: TokenId
  readonly logprob: number | undefined
  readonly topLogprobs: readonly TokenLogprob[]
}
