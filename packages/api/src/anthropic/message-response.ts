import { z } from 'zod'
import type { Immutable } from '../immutable.ts'

const none = z.null().describe('Always null.')

const textBlock = z.object({ type: z.literal('text'), text: z.string(), citations: none })
const thinkingBlock = z.object({
  type: z.literal('thinking'),
  thinking: z.string(),
  signature: z.string().describe('Empty: thoughts are not signed here.'),
})
const toolUseBlock = z.object({
  type: z.literal('tool_use'),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()).describe('As the model wrote it: validate it before use.'),
  caller: z.object({ type: z.literal('direct') }),
})

const contentBlock = z.discriminatedUnion('type', [textBlock, thinkingBlock, toolUseBlock])

const usageFields = {
  input_tokens: z
    .int()
    .describe(
      'Tokens of the prompt that were run. An answer’s begin counts all: the cache is not known yet.',
    ),
  cache_creation_input_tokens: z.int().describe('Always 0.'),
  cache_read_input_tokens: z.int().describe('Tokens of the prompt that were already in the KV cache.'),
  output_tokens: z.int(),
  output_tokens_details: none,
  server_tool_use: none,
}

const usage = z.object({
  ...usageFields,
  cache_creation: none,
  inference_geo: none,
  service_tier: z.literal('standard'),
  speed: none,
})

const stopReason = z
  .enum(['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'model_context_window_exceeded'])
  .describe('model_context_window_exceeded: the context is full, before max_tokens.')

/** The whole answer, or, in the event `message_start`, its head without content. */
export const messageSchema = z.object({
  id: z.string(),
  type: z.literal('message'),
  role: z.literal('assistant'),
  model: z.string(),
  content: z.array(contentBlock),
  stop_reason: stopReason.nullable(),
  stop_sequence: z.string().nullable().describe('The one of `stop_sequences` that ended the answer.'),
  stop_details: none,
  container: none,
  diagnostics: none,
  usage,
})

const index = z.int().min(0)

/** The data of the events of a streamed answer; the name of each event is its `type`. */
export const messageEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('message_start'), message: messageSchema }),
  z.object({ type: z.literal('content_block_start'), index, content_block: contentBlock }),
  z.object({
    type: z.literal('content_block_delta'),
    index,
    delta: z.discriminatedUnion('type', [
      z.object({ type: z.literal('text_delta'), text: z.string() }),
      z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
      z.object({ type: z.literal('signature_delta'), signature: z.string() }),
      z.object({ type: z.literal('input_json_delta'), partial_json: z.string() }),
    ]),
  }),
  z.object({ type: z.literal('content_block_stop'), index }),
  z.object({
    type: z.literal('message_delta'),
    delta: z.object({
      stop_reason: stopReason,
      stop_sequence: z.string().nullable(),
      stop_details: none,
      container: none,
    }),
    usage: z.object(usageFields),
  }),
  z.object({ type: z.literal('message_stop') }),
  z.object({ type: z.literal('ping') }),
])

/** Response body of `POST /v1/messages/count_tokens`. */
export const tokenCountSchema = z.object({ input_tokens: z.int() })

export type MessageBody = Immutable<z.output<typeof messageSchema>>
export type MessageContentBlock = MessageBody['content'][number]
export type MessageEvent = Immutable<z.output<typeof messageEventSchema>>
export type MessageUsage = MessageBody['usage']
export type MessageStopReason = NonNullable<MessageBody['stop_reason']>
export type TokenCountBody = Immutable<z.output<typeof tokenCountSchema>>
