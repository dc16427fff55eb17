import type { SamplingParams, TokenId } from '@petals-chat/engine'
import type { LlamaConfig } from './config.ts'

/**
 * What the gateway's process and a model's process say to each other, over Node's IPC channel with structured clones.
 * Each request has a number of the parent's choice; everything about it, both ways, carries that number. Slots are the
 * sequences of the model's context, 0 … sequences − 1; the parent gives them to sessions.
 */
export type Command =
  | PrepareCommand
  | LoadCommand
  | GenerateCommand
  | ScoreCommand
  | EmbedCommand
  | TruncateCommand
  | ClearCommand
  | CreditCommand
  | StopCommand
  | { readonly type: 'ping' }

/** The first command: opens llama.cpp, while the parent still looks for the model's file. */
export interface PrepareCommand {
  readonly type: 'prepare'
  readonly config: LlamaConfig
  /** That this process may use. */
  readonly cores: number
}

/** The second one, once. */
export interface LoadCommand {
  readonly type: 'load'
  readonly path: string
  readonly facts: ModelFacts
  /** What an earlier process of this model had, in place of what the config leaves open. */
  readonly context?: { readonly sequences: number; readonly contextLength: number } | undefined
}

/** What the parent read in the file's header. Lengths in tokens. */
export interface ModelFacts {
  readonly contextLength: number
  readonly kvBytesPerToken: number
  readonly vocabSize: number
}

/** Prefills `tokens` behind what the slot holds, then yields a token a step. */
export interface GenerateCommand {
  readonly type: 'generate'
  readonly request: number
  readonly slot: number
  readonly tokens: readonly TokenId[]
  /** So many of the last `tokens` belong to the answer already, which goes on after its process was replaced. */
  readonly answered: number
  readonly sampling: SamplingParams
  /** Most probable tokens to describe with each one; undefined for no log probabilities at all. */
  readonly topLogprobs: number | undefined
  /** GBNF. */
  readonly grammar: string | undefined
  /** The answer may become no longer than makes the slot hold so many tokens. */
  readonly maxLength: number
  /** Tokens that may be sent before more are asked for. */
  readonly credit: number
}

export interface ScoreCommand {
  readonly type: 'score'
  readonly request: number
  readonly slot: number
  readonly tokens: readonly TokenId[]
  readonly topLogprobs: number
}

export interface EmbedCommand {
  readonly type: 'embed'
  readonly request: number
  readonly tokens: readonly TokenId[]
}

/** Forgets what the slot holds behind its first `length` tokens. */
export interface TruncateCommand {
  readonly type: 'truncate'
  readonly request: number
  readonly slot: number
  readonly length: number
}

/** Stops what runs on the slot and forgets everything. */
export interface ClearCommand {
  readonly type: 'clear'
  readonly request: number
  readonly slot: number
}

/** `count` more tokens may be sent; a request that has sent an end token waits for it. */
export interface CreditCommand {
  readonly type: 'credit'
  readonly request: number
  readonly count: number
}

/** Ends what runs on the slot within one step; the slot then holds its first `keep` tokens. Answered by `done`. */
export interface StopCommand {
  readonly type: 'stop'
  readonly request: number
  readonly slot: number
  readonly keep: number
}

export type Message =
  | { readonly type: 'progress'; readonly fraction: number }
  | ReadyMessage
  | LoadFailedMessage
  | TokensMessage
  | ScoresMessage
  | { readonly type: 'embedding'; readonly request: number; readonly vector: Float32Array }
  | { readonly type: 'done'; readonly request: number }
  | FailedMessage
  | PongMessage
  | { readonly type: 'log'; readonly level: 'debug' | 'warn'; readonly text: string }

export interface ReadyMessage {
  readonly type: 'ready'
  readonly sequences: number
  readonly contextLength: number
  /** Longest text that can be embedded. */
  readonly embeddingLength: number
  readonly threads: number
  /** `cpu`, `cuda`, `vulkan` or `metal`, and the devices' names. */
  readonly backend: string
  readonly devices: readonly string[]
  readonly kvCacheBytes: number
  /** Of single tokens right after loading. */
  readonly decodeTokensPerSecond: number
  /** How llama.cpp tokenizes `tokenizerProbe`. */
  readonly probe: readonly TokenId[]
}

export interface LoadFailedMessage {
  readonly type: 'load-failed'
  readonly reason: 'no-library' | 'gpu-missing' | 'memory' | 'model'
  readonly text: string
}

/** The tokens of one step, of all requests together. */
export interface TokensMessage {
  readonly type: 'tokens'
  readonly tokens: readonly StepToken[]
}

export interface StepToken extends TokenDetails {
  readonly request: number
}

export interface TokenDetails {
  readonly token: TokenId
  readonly logprob?: number | undefined
  readonly top?: readonly (readonly [token: TokenId, logprob: number])[] | undefined
}

export interface ScoresMessage {
  readonly type: 'scores'
  readonly request: number
  readonly scores: readonly TokenDetails[]
}

export interface FailedMessage {
  readonly type: 'failed'
  readonly request: number
  /** `grammar`: the grammar is at fault; `length`: no room for one more step; `failed`: computing failed. */
  readonly reason: 'grammar' | 'length' | 'failed'
  readonly text: string
}

export interface PongMessage {
  readonly type: 'pong'
  /** How long the current step has been computing, or the longest choice has taken, in milliseconds; 0 between steps. */
  readonly stepMs: number
  /** The choice of a token that has taken longest of those that are being made. */
  readonly choice?: TokenChoice | undefined
}

/** A token is being chosen for a request: the sampler works, and its grammar. */
export interface TokenChoice {
  readonly request: number
  readonly hasGrammar: boolean
  /** Milliseconds that it has computed: on a machine that is too busy fewer than have passed. */
  readonly ms: number
}

/** Longest grammar, in characters: longer ones take llama.cpp seconds to read. */
export const MAX_GRAMMAR_LENGTH = 256 * 1024

/** Tokenized on both sides when a model loads: a difference is logged. */
export const tokenizerProbe =
  'Hello, world! It\'s 3.14 % of 12345 — naïve café, "quoted" text;\n\n  indented\tcode: x += 1;\r\n' +
  '日本語 テスト 한국어 Привет мир مرحبا नमस्ते ไทย 👩‍👩‍👧‍👦 ½ ² <|endoftext|> </s> [INST] A1B2  \n'
