/**
 * The wire of Petals Chat, described once: zod schemas of every HTTP and WebSocket body, and each operation beside the
 * schemas that it uses. The gateway checks requests with the schemas and serves the OpenAPI document that is generated
 * from the operations; the chat page takes its types from here.
 *
 * ```ts
 * const request = chatRequestSchema.parse({ messages: [{ role: 'user', content: 'Hello' }] })
 * const document = openApiDocument('1.0.0', '/')
 * ```
 *
 * @packageDocumentation
 */
export { type AccessLimits, accessLimitsSchema } from './access/access-limits.ts'
export {
  type CreatedKeyBody,
  createdKeySchema,
  type KeyBody,
  type KeyListBody,
  keyListSchema,
  keySchema,
  type NewKeyBody,
  newKeySchema,
  rotateKeySchema,
} from './access/key.ts'
export { type AnthropicErrorBody, anthropicErrorSchema } from './anthropic/anthropic-operation.ts'
export type { MessageParam, ReadableBlock, SystemParam, ToolResultBlock } from './anthropic/content-blocks.ts'
export {
  type CountTokensRequest,
  countTokensRequestSchema,
  type MessageRequest,
  messageRequestSchema,
} from './anthropic/message-request.ts'
export {
  type MessageBody,
  type MessageContentBlock,
  type MessageEvent,
  messageEventSchema,
  messageSchema as anthropicMessageSchema,
  type MessageStopReason,
  type MessageUsage,
  type TokenCountBody,
  tokenCountSchema,
} from './anthropic/message-response.ts'
export {
  type AnthropicModel,
  type AnthropicModelList,
  anthropicModelListSchema,
  type AnthropicModelQuery,
  anthropicModelQuerySchema,
  anthropicModelSchema,
} from './anthropic/model.ts'
export { type HealthBody, healthSchema } from './health.ts'
export type { Immutable } from './immutable.ts'
export {
  type LegacyErrorBody,
  legacyErrorSchema,
  legacyRequestSchema,
  type LegacyResponse,
  legacyResponseSchema,
} from './legacy/generate.ts'
export { type LegacyModelBody, type LegacyModelsBody, legacyModelsSchema } from './legacy/models.ts'
export {
  type AnswerPart,
  legacyClientMessageSchema,
  type LegacyMessageType,
  legacyServerMessageSchema,
  type OpenedMessage,
} from './legacy/websocket.ts'
export {
  type OllamaChatEnd,
  ollamaChatEndSchema,
  type OllamaChatLine,
  ollamaChatLineSchema,
  type OllamaGenerateEnd,
  ollamaGenerateEndSchema,
  type OllamaGenerateLine,
  ollamaGenerateLineSchema,
  type OllamaToolCall,
} from './ollama/answer.ts'
export { type OllamaChatRequest, ollamaChatRequestSchema, type OllamaMessage } from './ollama/chat-request.ts'
export {
  type OllamaEmbeddingsResponse,
  ollamaEmbeddingsRequestSchema,
  ollamaEmbeddingsResponseSchema,
  type OllamaEmbedRequest,
  ollamaEmbedRequestSchema,
  type OllamaEmbedResponse,
  ollamaEmbedResponseSchema,
} from './ollama/embed.ts'
export { type OllamaGenerateRequest, ollamaGenerateRequestSchema } from './ollama/generate-request.ts'
export {
  ollamaManageRequestSchema,
  type OllamaModel,
  type OllamaPs,
  ollamaPsSchema,
  type OllamaShow,
  ollamaShowRequestSchema,
  ollamaShowResponseSchema,
  type OllamaStatus,
  ollamaStatusSchema,
  type OllamaTags,
  ollamaTagsSchema,
  type OllamaVersion,
  ollamaVersionSchema,
} from './ollama/models.ts'
export { type OllamaErrorBody, ollamaErrorSchema } from './ollama/ollama-operation.ts'
export {
  type OllamaFormat,
  type OllamaOptions,
  ollamaOptionsSchema,
  type OllamaThink,
} from './ollama/options.ts'
export {
  type FormFields,
  type RequestTool,
  type ResponseFormat,
  responseFormatSchema,
  type ToolChoice,
  toolChoiceSchema,
  toolSchema,
} from './openai/answer-form.ts'
export { type AnswerObject, answerSchema, type DeletedAnswer, deletedAnswerSchema } from './openai/answer.ts'
export { type ChatRequest, type ChatRequestBody, chatRequestSchema } from './openai/chat-request.ts'
export {
  type ChatChoice,
  chatChunkSchema,
  type ChatChunk,
  type ChatFinishReason,
  type ChatLogprobs,
  chatLogprobsSchema,
  type ChatResponse,
  chatResponseSchema,
  type ChatTokenLogprob,
} from './openai/chat-response.ts'
export {
  type CompletionPrompt,
  type CompletionRequest,
  completionRequestSchema,
} from './openai/completion-request.ts'
export {
  type CompletionChoice,
  completionChunkSchema,
  type CompletionLogprobs,
  completionLogprobsSchema,
  type CompletionResponse,
  completionResponseSchema,
} from './openai/completion-response.ts'
export {
  type EmbeddingRequest,
  embeddingRequestSchema,
  type EmbeddingResponse,
  embeddingResponseSchema,
} from './openai/embedding.ts'
export { type ErrorBody, errorSchema } from './error.ts'
export {
  type MessageContent,
  messageSchema,
  type RequestMessage,
  type ResponseToolCall,
  toolCallSchema,
} from './openai/messages.ts'
export { type ModelListBody, modelListSchema, type ModelObject, modelSchema } from './openai/model.ts'
export { type Prediction, predictionSchema } from './openai/prediction.ts'
export { type PropsBody, propsSchema } from './openai/props.ts'
export {
  type DetokenizeRequest,
  detokenizeRequestSchema,
  type DetokenizeResponse,
  detokenizeResponseSchema,
  type TokenizeRequest,
  type TokenizeRequestBody,
  tokenizeRequestSchema,
  type TokenizeResponse,
  tokenizeResponseSchema,
  type TokenizerInfo,
  tokenizerInfoSchema,
} from './openai/tokenize.ts'
export { type UsageReport, usageQuerySchema, usageReportSchema } from './openai/usage-report.ts'
export { type TimingsBody, timingsSchema, type UsageBody, usageSchema } from './openai/usage.ts'
export type { InputContent } from './responses/content-parts.ts'
export type { InputItem } from './responses/input-items.ts'
export type { OutputItem, OutputText, TextLogprob } from './responses/output-items.ts'
export {
  type DeletedResponse,
  deletedResponseSchema,
  type InputItemList,
  inputItemListSchema,
  type ResponseBody,
  responseSchema,
  type ResponseUsage,
} from './responses/response-body.ts'
export { type ResponseEvent, responseEventSchema } from './responses/response-event.ts'
export { type ResponseRequest, responseRequestSchema } from './responses/response-request.ts'
export type { McpRequestTool, McpToolFilter, ResponseTool, ResponseToolChoice } from './responses/tools.ts'
export { type SessionBody, sessionSchema, signInSchema } from './session.ts'
export { componentSchemas, type JsonSchema, schemaOf } from './openapi/component-schemas.ts'
export { type OpenApiDocument, openApiDocument } from './openapi/openapi-document.ts'
export {
  type Content,
  type EventContent,
  errorStatusesOf,
  isSchema,
  type Operation,
  type OperationParameter,
  type OperationResponse,
  type OperationTag,
  type Scope,
  scopes,
  statusMeanings,
  type TextContent,
} from './operation.ts'
export { operations, operationTags } from './operations.ts'
export {
  type FailoverBody,
  type FallbackBody,
  fallbackSchema,
  type PetalsBody,
  type PetalsRequest,
  petalsRequestSchema,
  petalsSchema,
  type QueueBody,
  queueSchema,
  type RouteBody,
  type RouteHopBody,
  routeSchema,
  type WaitingBody,
  waitingSchema,
} from './swarm/route.ts'
export {
  type SwarmJoinBody,
  type SwarmModelBody,
  type SwarmSampleBody,
  type SwarmServerBody,
  type SwarmStatusBody,
  swarmStatusSchema,
} from './swarm/status.ts'
export {
  type ToolBody,
  type ToolCallBody,
  toolCallRequestSchema,
  type ToolListBody,
  toolListSchema,
  toolNamePattern,
  type ToolResultBody,
  toolResultSchema,
  type ToolServerBody,
} from './tools.ts'
