import { anthropicTag } from './anthropic/anthropic-operation.ts'
import { messageOperations } from './anthropic/message.ts'
import { keyOperations, keyTag } from './access/key.ts'
import { healthOperations, healthTag } from './health.ts'
import { legacyGenerateOperations, legacyTag } from './legacy/generate.ts'
import { legacyModelsOperation } from './legacy/models.ts'
import { legacyWebSocketOperation } from './legacy/websocket.ts'
import { answerOperations, answerTag } from './openai/answer.ts'
import { createChatCompletion } from './openai/chat-completion.ts'
import { createCompletion } from './openai/completion.ts'
import { createEmbedding } from './openai/embedding.ts'
import { ollamaOperations } from './ollama/ollama.ts'
import { ollamaTag } from './ollama/ollama-operation.ts'
import { modelOperations } from './openai/model.ts'
import { openaiTag } from './openai/openai-operation.ts'
import { tokenizeOperations } from './openai/tokenize.ts'
import { usageOperation } from './openai/usage-report.ts'
import { responseOperations } from './responses/response.ts'
import { responsesTag } from './responses/responses-operation.ts'
import type { Operation, OperationTag } from './operation.ts'
import { sessionOperations, sessionTag } from './session.ts'
import { swarmOperations, swarmTag } from './swarm/status.ts'
import { toolOperations, toolTag } from './tools.ts'

/** Every route of the gateway, except the files of the chat page. A test holds the gateway's routes against this list. */
export const operations: readonly Operation[] = [
  ...modelOperations,
  createChatCompletion,
  createCompletion,
  createEmbedding,
  ...tokenizeOperations,
  ...answerOperations,
  ...responseOperations,
  usageOperation,
  ...messageOperations,
  ...ollamaOperations,
  ...legacyGenerateOperations,
  legacyModelsOperation,
  legacyWebSocketOperation,
  ...toolOperations,
  ...sessionOperations,
  ...swarmOperations,
  ...keyOperations,
  ...healthOperations,
]

/** The groups of operations, in the order of the documentation. */
export const operationTags: readonly OperationTag[] = [
  openaiTag,
  answerTag,
  responsesTag,
  anthropicTag,
  ollamaTag,
  legacyTag,
  toolTag,
  sessionTag,
  swarmTag,
  keyTag,
  healthTag,
]
