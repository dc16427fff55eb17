import { z } from 'zod'
import type { Immutable } from '../immutable.ts'

const status = z
  .enum(['in_progress', 'completed', 'incomplete'])
  .describe('incomplete: the answer was cut in the middle of it.')

const logprob = {
  token: z.string(),
  bytes: z.array(z.int()).describe('UTF-8 of the token; empty where it is only part of a character.'),
  logprob: z.number(),
}

export const textLogprobSchema = z.object({ ...logprob, top_logprobs: z.array(z.object(logprob)) })

export const outputTextSchema = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.never()).describe('Always empty.'),
  logprobs: z.array(textLogprobSchema),
})

export const reasoningTextSchema = z.object({ type: z.literal('reasoning_text'), text: z.string() })

/** One item of the output. */
export const outputItemSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('reasoning'),
    id: z.string(),
    summary: z.array(z.never()).describe('Always empty: thoughts come whole, as content.'),
    content: z.array(reasoningTextSchema),
    status,
  }),
  z.object({
    type: z.literal('message'),
    id: z.string(),
    role: z.literal('assistant'),
    status,
    content: z.array(outputTextSchema),
  }),
  z.object({
    type: z.literal('function_call'),
    id: z.string(),
    call_id: z.string(),
    name: z.string(),
    namespace: z.string().optional(),
    arguments: z.string().describe('JSON text, as the model wrote it: validate it before use.'),
    status,
  }),
  z.object({
    type: z.literal('custom_tool_call'),
    id: z.string(),
    call_id: z.string(),
    name: z.string(),
    namespace: z.string().optional(),
    input: z.string(),
    status,
  }),
  z.object({
    type: z.literal('mcp_list_tools'),
    id: z.string(),
    server_label: z.string(),
    tools: z.array(
      z.object({
        name: z.string(),
        description: z.string(),
        input_schema: z.record(z.string(), z.unknown()),
        annotations: z.object({ read_only: z.boolean() }),
      }),
    ),
    error: z.string().nullable().describe('Why there are no tools, or why some are left out.'),
  }),
  z.object({
    type: z.literal('mcp_call'),
    id: z.string(),
    server_label: z.string(),
    name: z.string(),
    arguments: z.string(),
    approval_request_id: z.string().nullable(),
    output: z.string().nullable(),
    error: z.string().nullable(),
    status: z.enum(['in_progress', 'calling', 'completed', 'incomplete', 'failed']),
  }),
  z
    .object({
      type: z.literal('mcp_approval_request'),
      id: z.string(),
      server_label: z.string(),
      name: z.string(),
      arguments: z.string(),
    })
    .describe('A call that runs when an `mcp_approval_response` of the next request approves it.'),
])

export type TextLogprob = Immutable<z.output<typeof textLogprobSchema>>
export type OutputText = Immutable<z.output<typeof outputTextSchema>>
export type OutputItem = Immutable<z.output<typeof outputItemSchema>>
