import type { SamplingParams, TokenId } from '@petals-chat/engine'
import type { LlamaConfig } from './config.ts'

/**
 * The messages between the gateway's process and a model's process, over Node's IPC channel with structured clones. The
 * parent chooses a number for each request; all messages about it, in both directions, carry that number. Slots are the
 * sequences of the model's context, 0 … sequences − 1; the parent assigns them to sessions.
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

/** The first command: opens llama.cpp, while the parent resolves the model's file. */
export interface PrepareCommand {
  readonly type: 'prepare'
  readonly config: LlamaConfig
  /** How many cores the process may use. */
  readonly cores: number
}

/** The second command. It is sent once. */
export interface LoadCommand {
  readonly type: 'load'
  readonly path: string
  readonly facts: ModelFacts
  /** What an earlier process of this model offered and measured: it replaces what the config leaves open. */
  readonly earlier?: Pick<ReadyMessage, 'sequences' | 'contextLength' | 'stepTimes' | 'rewinds'> | undefined
}

/** Facts from the file's header. Lengths in tokens. */
export interface ModelFacts {
  readonly contextLength: number
  readonly kvBytesPerToken: number
  readonly vocabSize: number
}

/** Appends `tokens` to the slot's KV cache, then generates one token per step, or several where guesses are right. */
export interface GenerateCommand {
  readonly type: 'generate'
  readonly request: number
  readonly slot: number
  readonly tokens: readonly TokenId[]
  /** How many of the last `tokens` are part of the answer: it continues after its process was replaced. */
  readonly answered: number
  /** What the answer may repeat. */
  readonly prediction: readonly TokenId[]
  readonly sampling: SamplingParams
  /** How many of the most probable tokens are reported with each one; undefined for no log probabilities. */
  readonly topLogprobs: number | undefined
  /** GBNF. */
  readonly grammar: string | undefined
  /** The answer ends when the slot holds this many tokens. */
  readonly maxLength: number
  /** How many tokens may be sent before more credit is granted. */
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

/** Drops everything after the slot's first `length` tokens. */
export interface TruncateCommand {
  readonly type: 'truncate'
  readonly request: number
  readonly slot: number
  readonly length: number
}

/** Stops the request that runs on the slot and drops all its tokens. */
export interface ClearCommand {
  readonly type: 'clear'
  readonly request: number
  readonly slot: number
}

/** Allows `count` more tokens; a request that has sent an end token waits for this command. */
export interface CreditCommand {
  readonly type: 'credit'
  readonly request: number
  readonly count: number
}

/** Ends the request that runs on the slot within one step, and keeps the slot's first `keep` tokens. The reply is `done`. */
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
  /** The longest text that can be embedded, in tokens. */
  readonly embeddingLength: number
  readonly threads: number
  /** `cpu`, `cuda`, `vulkan` or `metal`, and the devices' names. */
  readonly backend: string
  readonly devices: readonly string[]
  readonly kvCacheBytes: number
  /** The speed of single-token steps right after loading. */
  readonly decodeTokensPerSecond: number
  /** The times of single-token steps right after loading, by number of threads. */
  readonly stepTimes: readonly StepTimes[]
  /** The KV cache can drop its last tokens. That of recurrent models can't. */
  readonly rewinds: boolean
  /** llama.cpp's tokens of `tokenizerProbe`. */
  readonly probe: readonly TokenId[]
}

export interface StepTimes {
  readonly threads: number
  readonly ms: readonly number[]
}

export interface LoadFailedMessage {
  readonly type: 'load-failed'
  readonly reason: 'no-library' | 'gpu-missing' | 'memory' | 'model'
  readonly text: string
}

/** The tokens of one step, for all requests together. */
export interface TokensMessage {
  readonly type: 'tokens'
  readonly tokens: readonly StepToken[]
}

export interface StepToken extends AnswerToken {
  readonly request: number
}

/** A token of an answer, with what came of the guesses in its step. */
export interface AnswerToken extends TokenDetails {
  /** It was guessed before it was chosen. */
  readonly wasDraft?: boolean | undefined
  /** Guesses of the step that were wrong. Reported with the step's last token. */
  readonly rejected?: number | undefined
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
  /** `grammar`: the grammar is invalid; `length`: the slot is full; `failed`: the computation failed. */
  readonly reason: 'grammar' | 'length' | 'failed'
  readonly text: string
}

export interface PongMessage {
  readonly type: 'pong'
  /** How long the current step has been computing, or the longest choice has taken, in milliseconds; 0 between steps. */
  readonly stepMs: number
  /** The current step, if it hangs. */
  readonly overdue?: OverdueStep | undefined
  /** Of the token choices in progress, the one that has taken longest. */
  readonly choice?: TokenChoice | undefined
}

/** A step that has computed for longer than it can take, as the steps before it show. */
export interface OverdueStep {
  /** In milliseconds of computing. */
  readonly limitMs: number
}

/** The choice of a token that is in progress for a request, by its sampler and its grammar. */
export interface TokenChoice {
  readonly request: number
  readonly hasGrammar: boolean
  /** CPU time in milliseconds: on a busy machine it is less than the time that has passed. */
  readonly ms: number
}

/** A text that both processes tokenize when a model loads: a difference is logged. */
export const tokenizerProbe =
  'Hello, world! It\'s 3.14 % of 12345 — naïve café, "quoted" text;\n\n  indented\tcode: x += 1;\r\n' +
  '日本語 テスト 한국어 Привет мир مرحبا नमस्ते ไทย 👩‍👩‍👧‍👦 ½ ² <|endoftext|> </s> [INST] A1B2  \n'
