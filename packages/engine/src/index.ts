/**
 * What an inference engine is, and all that is equal for every engine: models and sessions that take and yield tokens,
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
export * from './abort.ts'
export * from './chat/chat-template.ts'
export * from './engine.ts'
export * from './errors.ts'
export * from './generation/generate-text.types.ts'
export * from './logger.ts'
export * from './metrics.ts'
export * from './models/model-files.ts'
export * from './models/model-registry.ts'
export * from './models/model-spec.ts'
export * from './sampling-params.ts'
export * from './tokenizer.ts'
