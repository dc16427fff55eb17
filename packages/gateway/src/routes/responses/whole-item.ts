import { randomUUID } from 'node:crypto'
import type { InputContent, InputItem } from '@petals-chat/api'

type SentItem = Exclude<InputItem, { type: 'item_reference' }>

/** An item that says something itself. */
export type WholeItem = SentItem & { readonly id: string }

/**
 * Returns an item as it is kept: without the fields that are ignored, and with the given id, or a new one of this server.
 * The id that a client sent is not kept: without keys all callers are one owner, and another could guess it.
 */
export function wholeItem(item: SentItem, id = newId(item)): WholeItem {
  switch (item.type) {
    case 'message':
      return { type: item.type, id, role: item.role, content: contentOf(item.content) }
    case 'function_call':
      return { ...callOf(item), type: item.type, id, arguments: item.arguments }
    case 'custom_tool_call':
      return { ...callOf(item), type: item.type, id, input: item.input }
    case 'function_call_output':
    case 'custom_tool_call_output':
      return { type: item.type, id, call_id: item.call_id, output: contentOf(item.output) }
    case 'mcp_call': {
      const { output = null, error = null, approval_request_id = null } = item
      return { ...mcpCallOf(item), type: item.type, id, approval_request_id, output, error }
    }
    case 'mcp_list_tools':
      return { type: item.type, id, server_label: item.server_label, tools: [] }
    case 'mcp_approval_request':
      return { ...mcpCallOf(item), type: item.type, id }
    case 'mcp_approval_response': {
      const { approval_request_id, approve, reason = null } = item
      return { type: item.type, id, approval_request_id, approve, reason }
    }
    case 'reasoning':
      return { type: item.type, id, summary: [] }
    case 'web_search_call':
      return { type: item.type, id }
  }
}

const prefixes: Readonly<Record<SentItem['type'], string>> = {
  message: 'msg',
  function_call: 'fc',
  function_call_output: 'fco',
  custom_tool_call: 'ctc',
  custom_tool_call_output: 'ctco',
  mcp_call: 'mcp',
  mcp_list_tools: 'mcpl',
  mcp_approval_request: 'mcpr',
  mcp_approval_response: 'mcpa',
  reasoning: 'rs',
  web_search_call: 'ws',
}

const newId = ({ type }: SentItem): string => `${prefixes[type]}_${randomUUID().replaceAll('-', '')}`

function callOf({
  call_id,
  name,
  namespace,
}: Extract<SentItem, { type: 'function_call' | 'custom_tool_call' }>) {
  return { call_id, name, ...(namespace != null && { namespace }) }
}

const mcpCallOf = ({
  server_label,
  name,
  arguments: input,
}: Extract<SentItem, { type: 'mcp_call' | 'mcp_approval_request' }>) => ({
  server_label,
  name,
  arguments: input,
})

const contentOf = (content: InputContent): InputContent =>
  typeof content === 'string' ? content : content.map(partOf)

function partOf(part: Exclude<InputContent, string>[number]): Exclude<InputContent, string>[number] {
  if (part.type === 'refusal') return { type: part.type, refusal: part.refusal }
  return { type: part.type, text: part.text, ...(part.type === 'output_text' && { annotations: [] }) }
}
