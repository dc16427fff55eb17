/**
 * The wire of Petals Chat, described once: zod schemas of every HTTP and WebSocket body, and every operation beside the
 * schemas that it uses. The gateway checks requests with them and serves the document that is made of them; the chat
 * page takes its types from them.
 *
 * ```ts
 * const request = chatRequestSchema.parse(JSON.parse(body))
 * const document = openApiDocument('1.0.0', '/')
 * ```
 *
 * @packageDocumentation
 */
export * from './health.ts'
export * from './legacy.ts'
export * from './operation.ts'
export * from './openai/answer.ts'
export * from './openai/answer-form.ts'
export * from './openai/chat-request.ts'
export * from './openai/chat-response.ts'
export * from './openai/completion-request.ts'
export * from './openai/completion-response.ts'
export * from './openai/embedding.ts'
export * from './openai/error.ts'
export * from './openai/messages.ts'
export * from './openai/model.ts'
export * from './openai/tokenize.ts'
export * from './openai/usage.ts'
export * from './openapi/components.ts'
export * from './openapi/document.ts'
export * from './swarm/route.ts'
export * from './swarm/status.ts'
