import { json, type Operation } from '../operation.ts'
import { anthropicOperation } from './anthropic-operation.ts'
import { countTokensRequestSchema, messageRequestSchema } from './message-request.ts'
import { messageEventSchema, messageSchema, tokenCountSchema } from './message-response.ts'

const example = { messages: [{ role: 'user', content: 'What is the capital of France?' }] }

export const messageOperations: readonly Operation[] = [
  anthropicOperation({
    id: 'createMessage',
    method: 'post',
    path: '/v1/messages',
    summary: 'Answer a dialogue, in Anthropic’s form',
    description:
      'The model’s own chat template renders the dialogue. Closing the connection stops the engine. The headers ' +
      '`anthropic-version` and `anthropic-beta` are ignored.',
    request: json(messageRequestSchema),
    example: { ...example, max_tokens: 64 },
    responses: {
      200: {
        description: 'The answer, or its events with `stream: true`.',
        content: {
          ...json(messageSchema),
          'text/event-stream': {
            event: messageEventSchema,
            text:
              'Events with the name of their `type`: `message_start`, then for every block `content_block_start`, its ' +
              '`content_block_delta` and `content_block_stop`, then `message_delta` and `message_stop`. A failure is an event ' +
              '`error`, without `message_stop` after it. `ping` may come in between.',
          },
        },
      },
    },
  }),
  anthropicOperation({
    id: 'countMessageTokens',
    method: 'post',
    path: '/v1/messages/count_tokens',
    summary: 'Count the tokens of a dialogue, in Anthropic’s form',
    request: json(countTokensRequestSchema),
    example,
    responses: {
      200: {
        description: 'The tokens of the prompt that the model would read.',
        content: json(tokenCountSchema),
      },
    },
  }),
]
