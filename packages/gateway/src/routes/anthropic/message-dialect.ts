import type {
  MessageBody,
  MessageEvent,
  MessageRequest,
  MessageStopReason,
  MessageUsage,
} from '@petals-chat/api'
import { anthropicErrorBody } from '../../error-response.ts'
import type { AnswerEvent, EndEvent } from '../../generation/answer/answer-job.ts'
import type { AnswerDialect } from '../../generation/answer/respond-with-answer.ts'
import type { ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import { commentFrame } from '../../generation/stream/event-stream.ts'
import type { StreamDialect } from '../../generation/stream/stream-options.ts'
import { MessageBlocks, MessageContent } from './message-blocks.ts'
import { wantsThoughts } from './to-chat-request.ts'

type Events = AsyncIterable<AnswerEvent<ChatTypes>>

/** Writes an answer in the form of Anthropic's Messages API: see https://docs.anthropic.com/en/api/messages-streaming. */
export function messageDialect(request: MessageRequest): AnswerDialect<ChatJob, ChatTypes> {
  return {
    stream: messageStream,
    async body(job, events) {
      const content = new MessageContent()
      let message = messageHead(job)
      for await (const event of messageEvents(job, request, events)) {
        if (typeof event === 'string') continue
        content.add(event)
        if (event.type === 'message_delta')
          message = { ...message, ...event.delta, usage: { ...message.usage, ...event.usage } }
      }
      return { ...message, content: content.blocks }
    },
    async *frames(job, events) {
      for await (const event of messageEvents(job, request, events))
        yield typeof event === 'string' ? commentFrame(event) : eventFrame(event)
    },
    waiting: ({ notice: { comment } }) => (comment === undefined ? [] : [commentFrame(comment)]),
  }
}

const eventFrame = (event: { readonly type: string }): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

const messageStream: StreamDialect = {
  pingFrame: eventFrame({ type: 'ping' }),
  errorFrame: (description, requestId) => eventFrame(anthropicErrorBody(description, requestId)),
}

/** The events of an answer. A string is a comment. */
async function* messageEvents(
  job: ChatJob,
  request: MessageRequest,
  events: Events,
): AsyncGenerator<MessageEvent | string, void, undefined> {
  const blocks = new MessageBlocks({ showsThoughts: showsThoughts(request) })
  let begun = false
  for await (const event of events) {
    if (event.type === 'wait') {
      if (event.comment !== undefined) yield event.comment
      continue
    }
    if (!begun) yield { type: 'message_start', message: messageHead(job) }
    begun = true
    if (event.type === 'delta') {
      for (const part of event.delta.parts) yield* blocks.write(part)
      continue
    }
    yield* blocks.end()
    yield { type: 'message_delta', delta: endOf(job, request, event), usage: usageOf(event) }
    yield { type: 'message_stop' }
  }
}

function showsThoughts(request: MessageRequest): boolean {
  const { thinking } = request
  return wantsThoughts(request) && !(thinking && 'display' in thinking && thinking.display === 'omitted')
}

/** The message before its first word. The cost of its prompt is known only at the end. */
function messageHead({ head, prompts }: ChatJob): MessageBody {
  return {
    id: `msg_${head.id}`,
    type: 'message',
    role: 'assistant',
    model: head.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    usage: {
      ...tokensOf({ promptTokens: prompts[0]!.promptTokens, cachedTokens: 0, completionTokens: 0 }),
      cache_creation: null,
      inference_geo: null,
      service_tier: 'standard',
      speed: null,
    },
  }
}

const usageOf = ({ cost: { usage } }: EndEvent<ChatTypes>) => tokensOf(usage)

function tokensOf(usage: EndEvent<ChatTypes>['cost']['usage']) {
  return {
    input_tokens: usage.promptTokens - usage.cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: usage.cachedTokens,
    output_tokens: usage.completionTokens,
    output_tokens_details: null,
    server_tool_use: null,
  } satisfies Partial<MessageUsage>
}

function endOf(
  { prompts }: ChatJob,
  { max_tokens: asked, stop_sequences: stops }: MessageRequest,
  { finishReason, stopText }: EndEvent<ChatTypes>,
) {
  const met = finishReason === 'stop' && stopText !== undefined && stops?.includes(stopText)
  const reasons = {
    stop: met ? 'stop_sequence' : 'end_turn',
    length: prompts[0]!.maxNewTokens < asked ? 'model_context_window_exceeded' : 'max_tokens',
    tool_calls: 'tool_use',
  } as const satisfies Record<ChatTypes['finishReason'], MessageStopReason>
  return {
    stop_reason: reasons[finishReason],
    stop_sequence: met ? stopText : null,
    stop_details: null,
    container: null,
  }
}
