import { z } from 'zod'
import { anthropicErrorSchema } from '../anthropic/anthropic-operation.ts'
import { messageParamSchema } from '../anthropic/content-blocks.ts'
import { countTokensRequestSchema, messageRequestSchema } from '../anthropic/message-request.ts'
import {
  messageEventSchema,
  messageSchema as anthropicMessageSchema,
  tokenCountSchema,
} from '../anthropic/message-response.ts'
import { healthSchema } from '../health.ts'
import { legacyErrorSchema, legacyRequestSchema, legacyResponseSchema } from '../legacy/generate.ts'
import { legacyModelsSchema } from '../legacy/models.ts'
import { legacyClientMessageSchema, legacyServerMessageSchema } from '../legacy/websocket.ts'
import {
  ollamaChatEndSchema,
  ollamaChatLineSchema,
  ollamaGenerateEndSchema,
  ollamaGenerateLineSchema,
} from '../ollama/answer.ts'
import { ollamaChatRequestSchema } from '../ollama/chat-request.ts'
import { ollamaGenerateRequestSchema } from '../ollama/generate-request.ts'
import { ollamaErrorSchema } from '../ollama/ollama-operation.ts'
import { ollamaOptionsSchema } from '../ollama/options.ts'
import { responseFormatSchema, toolChoiceSchema, toolSchema } from '../openai/answer-form.ts'
import { answerSchema, deletedAnswerSchema } from '../openai/answer.ts'
import { chatRequestSchema } from '../openai/chat-request.ts'
import { chatChunkSchema, chatLogprobsSchema, chatResponseSchema } from '../openai/chat-response.ts'
import { completionRequestSchema } from '../openai/completion-request.ts'
import {
  completionChunkSchema,
  completionLogprobsSchema,
  completionResponseSchema,
} from '../openai/completion-response.ts'
import { embeddingRequestSchema, embeddingResponseSchema } from '../openai/embedding.ts'
import { errorSchema } from '../error.ts'
import { messageSchema, toolCallSchema } from '../openai/messages.ts'
import { modelListSchema, modelSchema } from '../openai/model.ts'
import {
  detokenizeRequestSchema,
  detokenizeResponseSchema,
  tokenizeRequestSchema,
  tokenizeResponseSchema,
} from '../openai/tokenize.ts'
import { usageReportSchema } from '../openai/usage-report.ts'
import { timingsSchema, usageSchema } from '../openai/usage.ts'
import { inputItemSchema } from '../responses/input-items.ts'
import { outputItemSchema } from '../responses/output-items.ts'
import { deletedResponseSchema, inputItemListSchema, responseSchema } from '../responses/response-body.ts'
import { responseEventSchema } from '../responses/response-event.ts'
import { responseRequestSchema } from '../responses/response-request.ts'
import { responseToolSchema } from '../responses/tools.ts'
import { routeSchema } from '../swarm/route.ts'
import { swarmStatusSchema } from '../swarm/status.ts'

/** The schemas that have a name in the document. All others are written inline where they are used. */
const named = {
  ChatCompletionRequest: chatRequestSchema,
  ChatCompletion: chatResponseSchema,
  ChatCompletionChunk: chatChunkSchema,
  ChatLogprobs: chatLogprobsSchema,
  Message: messageSchema,
  ToolCall: toolCallSchema,
  Tool: toolSchema,
  ToolChoice: toolChoiceSchema,
  ResponseFormat: responseFormatSchema,
  CompletionRequest: completionRequestSchema,
  Completion: completionResponseSchema,
  CompletionChunk: completionChunkSchema,
  CompletionLogprobs: completionLogprobsSchema,
  EmbeddingRequest: embeddingRequestSchema,
  EmbeddingList: embeddingResponseSchema,
  TokenizeRequest: tokenizeRequestSchema,
  TokenizeResponse: tokenizeResponseSchema,
  DetokenizeRequest: detokenizeRequestSchema,
  DetokenizeResponse: detokenizeResponseSchema,
  Answer: answerSchema,
  DeletedAnswer: deletedAnswerSchema,
  Model: modelSchema,
  ModelList: modelListSchema,
  Usage: usageSchema,
  UsageReport: usageReportSchema,
  Timings: timingsSchema,
  Error: errorSchema,
  SwarmRoute: routeSchema,
  SwarmStatus: swarmStatusSchema,
  Health: healthSchema,
  AnthropicRequest: messageRequestSchema,
  AnthropicMessageParam: messageParamSchema,
  AnthropicMessage: anthropicMessageSchema,
  AnthropicEvent: messageEventSchema,
  AnthropicCountRequest: countTokensRequestSchema,
  AnthropicTokenCount: tokenCountSchema,
  AnthropicError: anthropicErrorSchema,
  OllamaChatRequest: ollamaChatRequestSchema,
  OllamaChatLine: ollamaChatLineSchema,
  OllamaChatAnswer: ollamaChatEndSchema,
  OllamaGenerateRequest: ollamaGenerateRequestSchema,
  OllamaGenerateLine: ollamaGenerateLineSchema,
  OllamaGenerateAnswer: ollamaGenerateEndSchema,
  OllamaOptions: ollamaOptionsSchema,
  OllamaError: ollamaErrorSchema,
  ResponseRequest: responseRequestSchema,
  ResponseInputItem: inputItemSchema,
  ResponseTool: responseToolSchema,
  Response: responseSchema,
  ResponseOutputItem: outputItemSchema,
  ResponseEvent: responseEventSchema,
  DeletedResponse: deletedResponseSchema,
  ResponseInputItemList: inputItemListSchema,
  LegacyRequest: legacyRequestSchema,
  LegacyResponse: legacyResponseSchema,
  LegacyModels: legacyModelsSchema,
  LegacyClientMessage: legacyClientMessageSchema,
  LegacyServerMessage: legacyServerMessageSchema,
  LegacyError: legacyErrorSchema,
} satisfies Readonly<Record<string, z.ZodType>>

export type JsonSchema = Readonly<Record<string, unknown>>

const names = new Map<z.ZodType, string>(Object.entries(named).map(([name, schema]) => [schema, name]))

/** `components.schemas` of the document. */
export function componentSchemas(): Readonly<Record<string, JsonSchema>> {
  const registry = z.registry<{ readonly id: string }>()
  for (const [name, schema] of Object.entries(named)) registry.add(schema, { id: name })
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: schemaUri })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, withoutIds(schema as JsonSchema)]),
  )
}

/** The JSON schema of `schema`: a reference if it is a named one. */
export function schemaOf(schema: z.ZodType): JsonSchema {
  const name = names.get(schema)
  return name === undefined ? withoutIds(z.toJSONSchema(schema, { io: 'input' })) : { $ref: schemaUri(name) }
}

const schemaUri = (name: string): string => `#/components/schemas/${name}`

/** The document itself sets the dialect and the base of its schemas. */
const withoutIds = ({ $schema: _schema, $id: _id, ...schema }: JsonSchema): JsonSchema => schema
