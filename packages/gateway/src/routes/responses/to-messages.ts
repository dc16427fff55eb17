import type { InputContent, InputItem, RequestMessage } from '@petals-chat/api'
import { customArguments } from './custom-input.ts'
import { writableArguments } from './mcp/run-call.ts'
import type { ToolTable } from './tool-table.ts'

type Item = Exclude<InputItem, { type: 'item_reference' }>
type AssistantMessage = Extract<RequestMessage, { role: 'assistant' }>

/**
 * Writes instructions and items as the messages of a chat request. Messages of one speaker that follow each other become one,
 * because many templates let speakers only alternate.
 */
export function toMessages(
  instructions: string | null | undefined,
  items: readonly Item[],
  tools: ToolTable,
): RequestMessage[] {
  const messages: RequestMessage[] = instructions ? [{ role: 'system', content: instructions }] : []
  for (const message of items.flatMap((item) => toMessageOrTwo(item, tools, items))) {
    const last = messages.at(-1)
    const joined = last && join(last, message)
    if (joined === undefined) messages.push(message)
    else messages.splice(-1, 1, joined)
  }
  return messages
}

/** Calls of MCP servers have their results with them; a call that was not approved has its refusal. */
function toMessageOrTwo(item: Item, tools: ToolTable, items: readonly Item[]): readonly RequestMessage[] {
  if (item.type === 'mcp_call') return mcpCallMessages(item, item.output ?? item.error ?? '', tools)
  if (item.type !== 'mcp_approval_response')
    return [toMessage(item, tools)].filter((each) => each !== undefined)
  if (item.approve) return []
  const request = items.find(
    ({ type, id }) => type === 'mcp_approval_request' && id === item.approval_request_id,
  )
  if (request?.type !== 'mcp_approval_request') return []
  const why = item.reason ? ` ${item.reason}` : ''
  return mcpCallMessages(request, `The user did not approve this call.${why}`, tools)
}

/** A call of an MCP server's tool with its result, as the model sees them. */
export function mcpCallMessages(
  call: Pick<Extract<Item, { type: 'mcp_call' }>, 'id' | 'name' | 'server_label' | 'arguments'>,
  result: string,
  tools: ToolTable,
): readonly RequestMessage[] {
  const id = call.id ?? 'call_0'
  const name = tools.shownName(call.name, call.server_label)
  return [
    callMessage(id, name, writableArguments(call.arguments)),
    { role: 'tool', tool_call_id: id, content: result },
  ]
}

function toMessage(item: Item, tools: ToolTable): RequestMessage | undefined {
  switch (item.type) {
    case 'message':
      return { role: item.role === 'developer' ? 'system' : item.role, content: toText(item.content) }
    case 'function_call':
      return callMessage(item.call_id, tools.shownName(item.name, item.namespace), item.arguments)
    case 'custom_tool_call':
      return callMessage(
        item.call_id,
        tools.shownName(item.name, item.namespace),
        customArguments(item.input),
      )
    case 'function_call_output':
    case 'custom_tool_call_output':
      return { role: 'tool', tool_call_id: item.call_id, content: toText(item.output) }
    default:
      return undefined
  }
}

const callMessage = (id: string, name: string, text: string): AssistantMessage => ({
  role: 'assistant',
  content: '',
  tool_calls: [{ id, type: 'function', function: { name, arguments: text } }],
})

/** Both messages as one, if they can be. */
function join(last: RequestMessage, next: RequestMessage): RequestMessage | undefined {
  if (last.role !== next.role || last.role === 'tool') return undefined
  if (last.role !== 'assistant' || next.role !== 'assistant')
    return { ...last, content: `${textOf(last)}\n\n${textOf(next)}` } as RequestMessage
  // Words after calls are another turn: the results of the calls may be missing.
  if (!next.tool_calls?.length) return undefined
  return { ...last, tool_calls: [...(last.tool_calls ?? []), ...next.tool_calls] }
}

const textOf = ({ content }: RequestMessage): string => (typeof content === 'string' ? content : '')

/** Parts are lines: clients put their notes and the user's words into separate ones. */
const toText = (content: InputContent): string =>
  typeof content === 'string'
    ? content
    : content.map((part) => (part.type === 'refusal' ? part.refusal : part.text)).join('\n')
