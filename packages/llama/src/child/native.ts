import type { Llama, LlamaContext, LlamaModel } from 'node-llama-cpp'
import type { TokenId } from '@petals-chat/engine'

/**
 * The native bindings below node-llama-cpp's classes; no other file uses them. Those classes choose and yield a token in one
 * call, but this engine needs the probabilities of the model itself (before temperature and filters), several samplers in the
 * same step, a fair batch, and an abort between steps. The version of node-llama-cpp is pinned, and `openNative` refuses one
 * whose bindings are different. The methods are those of its `bindings/AddonTypes.d.ts`.
 */
export interface NativeContext {
  initBatch(size: number): void
  /** Returns the batch indexes of the logits of the tokens at `logitIndexes`. */
  addToBatch(sequence: number, position: number, tokens: Uint32Array, logitIndexes: Uint32Array): Uint32Array
  decodeBatch(): Promise<void>
  sampleToken(batchIndex: number, sampler: NativeSampler): Promise<TokenId | -1>
  sampleToken(
    batchIndex: number,
    sampler: NativeSampler,
    probabilities: false,
    confidence: false,
    logits: LogitSelection,
    totalWeight: true,
  ): Promise<SampledLogits>
  /** An `end` of −1 means the end of the sequence. Returns false if this kind of model can't drop a part. */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean
  disposeSequence(sequence: number): void
  setThreads(threads: number): void
}

/** Which logits `sampleToken` also returns: of listed tokens, the highest and lowest, of the chosen token, of the `top` highest. */
type LogitSelection = readonly [
  tokens: readonly TokenId[],
  max: boolean,
  min: boolean,
  selected: boolean,
  top: number,
]
type SampledLogits = readonly [
  token: TokenId | -1,
  probabilities: undefined,
  confidence: undefined,
  /** Token, logit, token, logit … */
  logits: readonly number[] | undefined,
  /** Σ exp(logit − highest logit) over the vocabulary. */
  totalWeight: number | undefined,
]

export interface NativeSampler {
  applyConfig(config: NativeSamplerConfig): void
  dispose(): void
}

/** Absent fields are off. The order is: bias, penalties, top-k, top-p, min-p, temperature, draw. */
export interface NativeSamplerConfig {
  readonly temperature: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly seed?: number
  readonly repeatPenalty?: number
  readonly repeatPenaltyTokens?: Uint32Array
  readonly repeatPenaltyMaxTokens?: number
  readonly tokenBiasKeys?: Uint32Array
  readonly tokenBiasValues?: Float32Array
  readonly grammarEvaluationState?: NativeGrammarState
}

/** The state of an answer within its grammar. */
export type NativeGrammarState = { readonly brand: 'NativeGrammarState' }

export interface NativeLayer {
  readonly context: NativeContext
  createSampler(): NativeSampler
  /** @throws Error if llama.cpp can't read the grammar. */
  startGrammar(source: string): NativeGrammarState
}

interface Bindings {
  AddonSampler: new (model: unknown) => NativeSampler
  AddonGrammar: new (source: string, options: { addonExports: unknown; rootRuleName: string }) => object
  AddonGrammarEvaluationState: new (model: unknown, grammar: object) => NativeGrammarState
}

export function openNative(llama: Llama, model: LlamaModel, context: LlamaContext): NativeLayer {
  const bindings = hidden<Bindings>(llama, '_bindings', [
    'AddonSampler',
    'AddonGrammar',
    'AddonGrammarEvaluationState',
  ])
  const nativeModel = hidden<object>(model, '_model', ['tokenize'])
  const nativeContext = hidden<NativeContext>(context, '_ctx', [
    'initBatch',
    'addToBatch',
    'decodeBatch',
    'sampleToken',
    'removeTokenCellsFromSequence',
    'disposeSequence',
    'setThreads',
  ])
  return {
    context: nativeContext,
    createSampler: () => new bindings.AddonSampler(nativeModel),
    startGrammar(source) {
      const grammar = new bindings.AddonGrammar(source, { addonExports: bindings, rootRuleName: 'root' })
      return new bindings.AddonGrammarEvaluationState(nativeModel, grammar)
    },
  }
}

function hidden<T>(owner: object, field: string, methods: readonly string[]): T {
  const value: unknown = Reflect.get(owner, field)
  const fits =
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof Reflect.get(value, name) === 'function')
  if (fits) return value as T
  throw new Error(
    `This version of node-llama-cpp has different bindings (${field}). Install the pinned version with \`npm ci\`.`,
  )
}
