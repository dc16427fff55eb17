import { json, type Operation } from '../operation.ts'
import { chatRequestSchema } from './chat-request.ts'
import { chatChunkSchema, chatResponseSchema } from './chat-response.ts'
import { answerEvents, openaiOperation } from './openai-operation.ts'

export const createChatCompletion: Operation = openaiOperation({
  id: 'createChatCompletion',
  method: 'post',
  path: '/v1/chat/completions',
  summary: 'Answer a dialogue',
  description:
    'The model’s own chat template renders the dialogue. Closing the connection stops the engine, unless the answer ' +
    'is resumable.',
  request: json(chatRequestSchema),
  example: { messages: [{ role: 'user', content: 'What is the capital of France?' }], max_tokens: 64 },
  responses: {
    200: {
      description: 'The answer, or its events with `stream: true`.',
      content: {
        ...json(chatResponseSchema),
        'text/event-stream': answerEvents(chatChunkSchema, 'chat.completion.chunk'),
      },
    },
  },
})
