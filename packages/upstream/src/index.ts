/**
 * Models that another server runs: any server with OpenAI's chat completions API (vLLM, llama-server, SGLang, Parallax, exo,
 * LM Studio, a paid API, another Petals Chat). Several addresses share the work; what fails before its first token is
 * tried again; errors name the server.
 *
 * ```ts
 * await using engine = createUpstreamEngine()
 * const entry = { id: 'big', engine: 'upstream', baseUrl: 'http://10.0.0.7:8000/v1' }
 * const registry = createModelRegistry({ models: [engine.add(upstreamModelSchema.parse(entry))] })
 * const model = await registry.load('big')
 * const fields = { messages: [{ role: 'user', content: 'Hi' }] }
 * if (isRemoteModel(model)) for await (const event of model.answer({ kind: 'chat', fields })) …
 * ```
 *
 * @packageDocumentation
 */
export { upstreamModelSchema, type UpstreamModelInput, type UpstreamModelSpec } from './config.ts'
export { createUpstreamEngine, type UpstreamEngine, type UpstreamEngineDeps } from './upstream-engine.ts'
