import { json, type Operation } from '../operation.ts'
import {
  ollamaChatEndSchema,
  ollamaChatLineSchema,
  ollamaGenerateEndSchema,
  ollamaGenerateLineSchema,
} from './answer.ts'
import { ollamaChatRequestSchema } from './chat-request.ts'
import {
  ollamaEmbeddingsRequestSchema,
  ollamaEmbeddingsResponseSchema,
  ollamaEmbedRequestSchema,
  ollamaEmbedResponseSchema,
} from './embed.ts'
import { ollamaGenerateRequestSchema } from './generate-request.ts'
import {
  ollamaManageRequestSchema,
  ollamaPsSchema,
  ollamaShowRequestSchema,
  ollamaShowResponseSchema,
  ollamaStatusSchema,
  ollamaTagsSchema,
  ollamaVersionSchema,
} from './models.ts'
import { ollamaOperation } from './ollama-operation.ts'

const lines =
  'Lines of JSON. The last one has `done: true`, why the answer ended, and what it took. A failure is a line with `error`, ' +
  'and no line after it. Lines without text may come while the answer is waited for.'

const fromConfiguration =
  'Models come from the configuration of this server: this call changes nothing and says so.'

const manage = (id: string, method: 'post' | 'delete', path: string, summary: string): Operation =>
  ollamaOperation({
    id,
    method,
    path,
    summary,
    description: fromConfiguration,
    request: json(ollamaManageRequestSchema),
    responses: {},
    errorStatuses: [400],
  })

export const ollamaOperations: readonly Operation[] = [
  ollamaOperation({
    id: 'ollamaChat',
    method: 'post',
    path: '/api/chat',
    summary: 'Answer a dialogue, in Ollama’s form',
    description:
      'The model’s own chat template renders the dialogue. Closing the connection stops the engine.',
    request: json(ollamaChatRequestSchema),
    example: { messages: [{ role: 'user', content: 'What is the capital of France?' }] },
    responses: {
      200: {
        description: 'The lines of the answer, or the answer with `stream: false`.',
        content: {
          'application/x-ndjson': { event: ollamaChatLineSchema, text: lines },
          ...json(ollamaChatEndSchema),
        },
      },
    },
  }),
  ollamaOperation({
    id: 'ollamaGenerate',
    method: 'post',
    path: '/api/generate',
    summary: 'Answer a message or continue a text, in Ollama’s form',
    request: json(ollamaGenerateRequestSchema),
    example: { prompt: 'What is the capital of France?' },
    responses: {
      200: {
        description: 'The lines of the answer, or the answer with `stream: false`.',
        content: {
          'application/x-ndjson': { event: ollamaGenerateLineSchema, text: lines },
          ...json(ollamaGenerateEndSchema),
        },
      },
    },
  }),
  ollamaOperation({
    id: 'ollamaTags',
    scope: 'models',
    method: 'get',
    path: '/api/tags',
    summary: 'List the models, in Ollama’s form',
    responses: { 200: { description: 'The models of this server.', content: json(ollamaTagsSchema) } },
    errorStatuses: [],
  }),
  ollamaOperation({
    id: 'ollamaShow',
    scope: 'models',
    method: 'post',
    path: '/api/show',
    summary: 'Describe a model, in Ollama’s form',
    request: json(ollamaShowRequestSchema),
    responses: { 200: { description: 'The model.', content: json(ollamaShowResponseSchema) } },
    errorStatuses: [400, 404],
  }),
  ollamaOperation({
    id: 'ollamaPs',
    scope: 'models',
    method: 'get',
    path: '/api/ps',
    summary: 'List the models that are loaded, in Ollama’s form',
    responses: { 200: { description: 'The loaded models.', content: json(ollamaPsSchema) } },
    errorStatuses: [],
  }),
  ollamaOperation({
    id: 'ollamaVersion',
    scope: 'open',
    method: 'get',
    path: '/api/version',
    summary: 'The version of Ollama whose API this is',
    responses: { 200: { description: 'The versions.', content: json(ollamaVersionSchema) } },
    errorStatuses: [],
  }),
  ollamaOperation({
    id: 'ollamaEmbed',
    method: 'post',
    path: '/api/embed',
    summary: 'Embed texts, in Ollama’s form',
    request: json(ollamaEmbedRequestSchema),
    example: { input: 'A text to compare with others' },
    responses: { 200: { description: 'The vectors.', content: json(ollamaEmbedResponseSchema) } },
  }),
  ollamaOperation({
    id: 'ollamaEmbeddings',
    method: 'post',
    path: '/api/embeddings',
    summary: 'Embed a text, in Ollama’s older form',
    request: json(ollamaEmbeddingsRequestSchema),
    example: { prompt: 'A text to compare with others' },
    responses: { 200: { description: 'The vector.', content: json(ollamaEmbeddingsResponseSchema) } },
  }),
  {
    ...manage('ollamaPull', 'post', '/api/pull', 'Ask for a model'),
    description:
      'A model of this server is there already: `success`. Other models are refused, because models come from the configuration.',
    responses: {
      200: {
        description: 'The model is there.',
        content: {
          'application/x-ndjson': { event: ollamaStatusSchema, text: 'One line.' },
          ...json(ollamaStatusSchema),
        },
      },
    },
  },
  manage('ollamaPush', 'post', '/api/push', 'Publish a model: refused'),
  manage('ollamaCreate', 'post', '/api/create', 'Make a model: refused'),
  manage('ollamaCopy', 'post', '/api/copy', 'Copy a model: refused'),
  manage('ollamaDelete', 'delete', '/api/delete', 'Delete a model: refused'),
]
