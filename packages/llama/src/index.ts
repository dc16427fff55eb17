/**
 * The local engine: GGUF models through llama.cpp, on the CPU or a GPU, several sessions at once. Each model runs in its own
 * child process, so that a crash or a lack of memory there does not reach the gateway.
 *
 * ```ts
 * const resolveFile = (source, options) => store.resolveFile(source, options)
 * const engine = createLlamaEngine(llamaConfigSchema.parse({}), { logger, resolveFile })
 * const spec = llamaModelSchema.parse({ id: 'mine', engine: 'llama', source: './model.gguf' })
 * await using model = await engine.load(spec)
 * await using session = await model.openSession({ maxLength: 256 })
 * const prompt = model.tokenizer.encode('Once upon a time', { addSpecialTokens: true })
 * for await (const { token } of session.generate(prompt, { sampling: { temperature: 0 } })) …
 * ```
 *
 * @packageDocumentation
 */
export {
  llamaConfigSchema,
  llamaModelSchema,
  type LlamaConfig,
  type LlamaConfigInput,
  type LlamaModelInput,
  type LlamaModelSpec,
} from './config.ts'
export type { GgufInfo } from './gguf/gguf-info.ts'
export { readGgufInfo } from './gguf/read-gguf.ts'
export { createLlamaEngine, type LlamaEngineDeps, type ResolveFileOptions } from './llama-engine.ts'
export {
  detectLlamaBackends,
  type DetectOptions,
  type GpuBackend,
  type LlamaBackend,
  type LlamaMachine,
} from './machine/backends.ts'
export type { GpuName, Libraries as LlamaLibraries } from '@petals-chat/ggml'
export { countCores, type CoreCount } from './machine/cpu-limit.ts'
export { findLlamaLibraries } from './machine/libraries.ts'
export { readGgufTokenizer } from './tokenizer/read-tokenizer.ts'
export { RestartPolicy } from './worker/restart-policy.ts'
