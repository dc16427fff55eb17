import type {
  ChatRequest,
  CountTokensRequest,
  MessageParam,
  MessageRequest,
  ReadableBlock,
  RequestMessage,
  SystemParam,
  ToolResultBlock,
} from '@petals-chat/api'

/** A request of which only the prompt counts has no further fields. */
type AnyRequest = CountTokensRequest & Partial<MessageRequest>

/** Writes a request of the Messages API as a chat request with the same meaning. */
export function toChatRequest(request: AnyRequest): ChatRequest {
  const { system, messages, tools, tool_choice: choice, output_config: output } = request
  const format = output?.format ?? request.output_format
  return {
    model: request.model,
    messages: [...(system == null ? [] : [systemMessage(system)]), ...messages.flatMap(toMessages)],
    max_tokens: request.max_tokens,
    temperature: request.temperature,
    top_p: request.top_p,
    top_k: request.top_k,
    stop: request.stop_sequences,
    stream: request.stream,
    tools: tools?.map(({ name, description, input_schema: parameters, strict }) => ({
      type: 'function',
      function: { name, description, parameters, strict },
    })),
    tool_choice: toToolChoice(choice),
    parallel_tool_calls:
      choice && 'disable_parallel_tool_use' in choice && choice.disable_parallel_tool_use ? false : undefined,
    response_format: format && {
      type: 'json_schema',
      json_schema: { name: 'answer', schema: format.schema },
    },
    reasoning_effort: output?.effort,
    chat_template_kwargs: { enable_thinking: wantsThoughts(request) },
  }
}

/** Reports whether the model may think. By Anthropic's reference it does so only if it is asked to. */
export const wantsThoughts = ({ thinking }: Pick<AnyRequest, 'thinking'>): boolean =>
  thinking != null && thinking.type !== 'disabled'

function toToolChoice(choice: AnyRequest['tool_choice']): ChatRequest['tool_choice'] {
  if (choice == null) return undefined
  return choice.type === 'tool' ? { type: 'tool', name: choice.name } : choice.type
}

const systemMessage = (content: SystemParam): RequestMessage => ({ role: 'system', content: toText(content) })

/** The messages of one turn: results of tools are messages of their own, and come first. */
function toMessages(message: MessageParam): readonly RequestMessage[] {
  if (message.role === 'system') return [systemMessage(message.content)]
  if (typeof message.content === 'string') return [{ role: message.role, content: message.content }]
  return message.role === 'user' ? userMessages(message.content) : [assistantMessage(message.content)]
}

type Blocks<Role extends MessageParam['role']> = Exclude<
  Extract<MessageParam, { role: Role }>['content'],
  string
>

function userMessages(blocks: Blocks<'user'>): readonly RequestMessage[] {
  const results = blocks.filter((block) => block.type === 'tool_result')
  const words = blocks.filter((block) => block.type !== 'tool_result')
  const said: readonly RequestMessage[] =
    words.length > 0 ? [{ role: 'user', content: words.map(blockText).join('\n') }] : []
  return [...results.map(resultMessage), ...said]
}

function resultMessage({ tool_use_id: id, content, is_error: isError }: ToolResultBlock): RequestMessage {
  const text = typeof content === 'string' ? content : (content ?? []).map(blockText).join('\n')
  return { role: 'tool', tool_call_id: id, content: isError ? `Error: ${text}` : text }
}

function assistantMessage(blocks: Blocks<'assistant'>): RequestMessage {
  const calls = blocks.filter((block) => block.type === 'tool_use')
  const thoughts = blocks.flatMap((block) => (block.type === 'thinking' ? [block.thinking] : [])).join('\n')
  return {
    role: 'assistant',
    content: blocks.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n'),
    ...(thoughts !== '' && { reasoning_content: thoughts }),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ id, name, input }) => ({
        id,
        type: 'function' as const,
        function: { name, arguments: JSON.stringify(input) },
      })),
    }),
  }
}

/** Blocks are paragraphs: clients put their notes and the user's words into separate ones. */
const toText = (content: SystemParam): string =>
  typeof content === 'string' ? content : content.map(({ text }) => text).join('\n')

function blockText(block: ReadableBlock): string {
  if (block.type === 'text') return block.text
  if (block.type === 'search_result') return lines(block.title, block.source, toText(block.content))
  const { source, title, context } = block
  return lines(title, context, source.type === 'text' ? source.data : toText(source.content))
}

const lines = (...texts: readonly (string | null | undefined)[]): string =>
  texts.filter((text) => text != null && text !== '').join('\n')
