/**
 * The contract of inference engines, and everything that all engines share: models and sessions that take and yield tokens,
 * chat templates, text generation with stop sequences, the registry of models, errors, logs and metrics.
 *
 * ```ts
 * const model = await registry.get('SmolLM2-135M-Instruct')
 * const tokens = model.tokenizer.encode('Once upon a time')
 * await using session = await model.openSession({ maxLength: 256 })
 * for await (const event of generateText(model, session, { tokens, maxNewTokens: 64, stop: [], sampling: greedy })) {
 *   if (event.type === 'text-delta') process.stdout.write(event.text)
 * }
 * ```
 *
 * @packageDocumentation
 */
export { abortable, type AbortOptions } from './abort.ts'
export { CallSlots } from './call-slots.ts'
export { childEnvironment, endWithThisProcess, type ChildEnvironmentOptions } from './child-process.ts'
export * from './chat/chat-template.ts'
export { createDialogueTemplate } from './chat/dialogue-template.ts'
export { createJinjaChatTemplate, type JinjaChatTemplateOptions } from './chat/jinja-chat-template.ts'
export { isControlText, LITERAL_MARK, literalMarker, type MarkLiteral } from './chat/literal-text.ts'
export { ToolCallScanner } from './chat/tool-call-scanner.ts'
export {
  newToolCallId,
  parseToolCalls,
  toolCallGrammar,
  type ToolAnswer,
  type ToolGrammarOptions,
} from './chat/tool-calls.ts'
export { connectionProblem } from './connection-problem.ts'
export { EncodeLimit } from './encode-limit.ts'
export * from './engine.ts'
export * from './errors.ts'
export { forwardModel, forwardSession } from './forward.ts'
export { Detokenizer, type DecodedText } from './generation/detokenizer.ts'
export {
  generationDefaults,
  isGreedy,
  parseGenerationConfig,
  toSamplingParams,
  type GenerationDefaults,
} from './generation/generation-defaults.ts'
export { commonPrefixLength, generateText } from './generation/generate-text.ts'
export * from './generation/generate-text.types.ts'
export { withWaits, type WaitEvent } from './generation/with-waits.ts'
export { grammarSource } from './grammar/grammar-source.ts'
export { TokenGrammars } from './grammar/match/token-grammars.ts'
export type { TokenMatcher } from './grammar/match/token-matcher.ts'
export type { Vocabulary } from './grammar/match/vocabulary-trie.ts'
export { ipScope, type IpScope } from './ip-scope.ts'
export * from './logger.ts'
export * from './metrics.ts'
export * from './models/model-files.ts'
export * from './models/model-registry.ts'
export {
  formatModelSource,
  isSafePath,
  parseModelSource,
  singleSources,
  type AlternativeSources,
  type HubSource,
  type LocalSource,
  type ModelSource,
  type SingleSource,
  type WheelSource,
} from './models/model-source.ts'
export * from './models/model-spec.ts'
export { createModelRegistry, type ModelRegistryOptions } from './models/registry.ts'
export * from './remote-model.ts'
export * from './sampling-params.ts'
export { SessionGuard } from './session-guard.ts'
export * from './swarm/precision.ts'
export * from './swarm/swarm-status.ts'
export { TimeLimit, TimeLimitExceeded } from './time-limit.ts'
export * from './tokenizer.ts'
export * from './tool-box.ts'
export {
  MAX_TOP_LOGPROBS,
  validateGenerateOptions,
  validateSampling,
  validateSessionLength,
  validateTextRequest,
  validateTokens,
  validateTopLogprobs,
  validateTruncation,
} from './validation.ts'
export { loadableModel, type LoadableModel, type ModelGroup } from './models/loadable-model.ts'
