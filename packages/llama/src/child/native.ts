import type { Llama, LlamaContext, LlamaModel } from 'node-llama-cpp'
import type { TokenId } from '@petals-chat/engine'

/**
 * The layer below node-llama-cpp's classes, and the one place that knows it. Those classes choose and yield a token in
 * one go; here the probabilities of the model itself (before temperature and filters), several samplers on the same
 * step, a fair batch and an abort between steps are needed. The version of node-llama-cpp is pinned, and `openNative`
 * refuses one that looks different. Methods as in its `bindings/AddonTypes.d.ts`.
 */
export interface NativeContext {
  initBatch(size: number): void
  /** Returns where in the batch the logits of the tokens at `logitIndexes` will be. */
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
  /** `end` −1 is the end. False if this kind of model can't forget a part. */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean
  disposeSequence(sequence: number): void
  setThreads(threads: number): void
}

/** Which logits `sampleToken` gives along: of listed tokens, of the extremes, of the chosen one, of the `top` highest. */
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

/** Left out is off. Order of work: bias, penalties, top-k, top-p, min-p, temperature, draw. */
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

/** How far an answer has come in its grammar. */
export type NativeGrammarState = { readonly brand: 'NativeGrammarState' }

export interface NativeLayer {
  readonly context: NativeContext
  createSampler(): NativeSampler
  /** @throws if llama.cpp can't read the grammar. */
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
    `This version of node-llama-cpp is built differently (${field}). Install the pinned one with \`npm ci\`.`,
  )
}
