import { z } from 'zod'
import { ignored, onlyNull, text } from '../openai/primitives.ts'
import { contentSchema } from './content-parts.ts'

const refusesItem = ({ input }: { readonly input?: unknown }): string => {
  const type = typeof input === 'object' && input !== null && 'type' in input ? input.type : input
  return (
    `Items of type ${JSON.stringify(type)?.slice(0, 100) ?? 'undefined'} are not supported: they belong to tools that run at ` +
    'OpenAI, or are unknown. Send messages, and the calls and outputs of your own functions.'
  )
}

const id = z.string().max(256).nullish().describe('The id of the item.')
const callId = z.string().min(1).max(256)
const toolName = z.string().min(1).max(128)

const extras = {
  id,
  status: ignored('How the item ended.'),
  caller: ignored('What called the tool.'),
  created_by: ignored('What made the item.'),
  internal_chat_message_metadata_passthrough: ignored('Notes of Codex.'),
}

const message = z.strictObject({
  type: z.literal('message'),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: contentSchema,
  phase: ignored('Whether the message is a remark or the answer.'),
  end_turn: ignored('Whether the turn ended.'),
  ...extras,
})

const functionCall = z.strictObject({
  type: z.literal('function_call'),
  call_id: callId,
  name: toolName,
  namespace: toolName.nullish(),
  arguments: text,
  parsed_arguments: ignored('The arguments, parsed by OpenAI’s clients.'),
  ...extras,
})

const functionOutput = z.strictObject({
  type: z.literal('function_call_output'),
  call_id: callId,
  output: contentSchema,
  ...extras,
})

const customCall = z.strictObject({
  type: z.literal('custom_tool_call'),
  call_id: callId,
  name: toolName,
  namespace: toolName.nullish(),
  input: text,
  ...extras,
})

const customOutput = z.strictObject({
  type: z.literal('custom_tool_call_output'),
  call_id: callId,
  name: ignored('The name of the tool.'),
  output: contentSchema,
  ...extras,
})

const reasoning = z
  .strictObject({
    type: z.literal('reasoning'),
    summary: ignored('Its summary.'),
    content: ignored('Its text.'),
    encrypted_content: ignored('Its text, encrypted.'),
    ...extras,
  })
  .describe('Templates omit earlier thoughts. Accepted and ignored.')

const webSearch = z
  .looseObject({ type: z.literal('web_search_call') })
  .describe('A search that ran at OpenAI. Accepted and ignored.')

const label = z.string().min(1).max(64)
const approvalId = z.string().max(256)

const mcpCall = z.strictObject({
  type: z.literal('mcp_call'),
  server_label: label,
  name: toolName,
  arguments: text,
  output: text.nullish(),
  error: text.nullish(),
  approval_request_id: approvalId.nullish(),
  ...extras,
})

const mcpListTools = z
  .strictObject({
    type: z.literal('mcp_list_tools'),
    server_label: label,
    tools: ignored('The tools: they are listed anew for each answer.'),
    error: ignored('Why there is no list.'),
    ...extras,
  })
  .describe('The list of a server is not sent again where the dialogue has it.')

const mcpApprovalRequest = z.strictObject({
  type: z.literal('mcp_approval_request'),
  server_label: label,
  name: toolName,
  arguments: text,
  ...extras,
})

const mcpApprovalResponse = z
  .strictObject({
    type: z.literal('mcp_approval_response'),
    approval_request_id: approvalId.min(1).describe('The id of an `mcp_approval_request` of the dialogue.'),
    approve: z.boolean(),
    reason: text.nullish().describe('Told to the model where the call is not approved.'),
    ...extras,
  })
  .describe('Runs the call of an approval request, or tells the model that it may not run.')

const reference = z
  .strictObject({ type: z.literal('item_reference'), id: z.string().min(1).max(256), role: onlyNull })
  .describe('An item of a kept response.')

const noType = z.null({ error: refusesItem }).optional()
const plainMessage = message
  .extend({ type: noType })
  .transform((item) => ({ ...item, type: 'message' as const }))
const plainReference = reference
  .extend({ type: noType })
  .transform((item) => ({ ...item, type: 'item_reference' as const }))

const typedItem = z.discriminatedUnion(
  'type',
  [
    message,
    functionCall,
    functionOutput,
    customCall,
    customOutput,
    mcpCall,
    mcpListTools,
    mcpApprovalRequest,
    mcpApprovalResponse,
    reasoning,
    webSearch,
    reference,
  ],
  { error: refusesItem },
)

/** One item of the input: what was said, called or returned. An item without a type is a message, or else a reference. */
export const inputItemSchema = z.union([plainMessage, typedItem, plainReference])

export type InputItem = z.output<typeof inputItemSchema>
