import type { InputContent, InputItem, RequestMessage } from '@petals-chat/api'
import { customArguments } from './custom-input.ts'
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
  for (const item of items) {
    const message = toMessage(item, tools)
    if (message === undefined) continue
    const last = messages.at(-1)
    const joined = last && join(last, message)
    if (joined === undefined) messages.push(message)
    else messages.splice(-1, 1, joined)
  }
  return messages
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
