import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { outputItemSchema, outputTextSchema, reasoningTextSchema, textLogprobSchema } from './output-items.ts'
import { responseSchema } from './response-body.ts'

const sequence = { sequence_number: z.int().min(0).describe('Counts the events of a stream from 0.') }
const item = { ...sequence, output_index: z.int().min(0), item_id: z.string() }
const part = { ...item, content_index: z.int().min(0) }

const whole = <Type extends string>(type: Type) =>
  z.object({ type: z.literal(type), ...sequence, response: responseSchema })

const contentPart = z.discriminatedUnion('type', [outputTextSchema, reasoningTextSchema])

/** The data of the events of a streamed response; the name of each event is its `type`. */
export const responseEventSchema = z.discriminatedUnion('type', [
  whole('response.created'),
  whole('response.in_progress'),
  whole('response.completed'),
  whole('response.incomplete'),
  whole('response.failed'),
  z.object({
    type: z.literal('response.output_item.added'),
    ...sequence,
    output_index: z.int().min(0),
    item: outputItemSchema,
  }),
  z.object({
    type: z.literal('response.output_item.done'),
    ...sequence,
    output_index: z.int().min(0),
    item: outputItemSchema,
  }),
  z.object({ type: z.literal('response.content_part.added'), ...part, part: contentPart }),
  z.object({ type: z.literal('response.content_part.done'), ...part, part: contentPart }),
  z.object({
    type: z.literal('response.output_text.delta'),
    ...part,
    delta: z.string(),
    logprobs: z.array(textLogprobSchema),
  }),
  z.object({
    type: z.literal('response.output_text.done'),
    ...part,
    text: z.string(),
    logprobs: z.array(textLogprobSchema),
  }),
  z.object({ type: z.literal('response.reasoning_text.delta'), ...part, delta: z.string() }),
  z.object({ type: z.literal('response.reasoning_text.done'), ...part, text: z.string() }),
  z.object({ type: z.literal('response.function_call_arguments.delta'), ...item, delta: z.string() }),
  z.object({
    type: z.literal('response.function_call_arguments.done'),
    ...item,
    name: z.string(),
    arguments: z.string(),
  }),
  z.object({ type: z.literal('response.custom_tool_call_input.delta'), ...item, delta: z.string() }),
  z.object({ type: z.literal('response.custom_tool_call_input.done'), ...item, input: z.string() }),
  z.object({ type: z.literal('response.mcp_list_tools.in_progress'), ...item }),
  z.object({ type: z.literal('response.mcp_list_tools.completed'), ...item }),
  z.object({ type: z.literal('response.mcp_list_tools.failed'), ...item }),
  z.object({ type: z.literal('response.mcp_call.in_progress'), ...item }),
  z.object({ type: z.literal('response.mcp_call.completed'), ...item }),
  z.object({ type: z.literal('response.mcp_call.failed'), ...item }),
  z.object({ type: z.literal('response.mcp_call_arguments.delta'), ...item, delta: z.string() }),
  z.object({ type: z.literal('response.mcp_call_arguments.done'), ...item, arguments: z.string() }),
  z.object({
    type: z.literal('error'),
    ...sequence,
    code: z.string().nullable(),
    message: z.string(),
    param: z.string().nullable(),
    error: z
      .object({
        message: z.string(),
        type: z.string(),
        param: z.string().nullable(),
        code: z.string().nullable(),
      })
      .describe('The same: clients throw it.'),
  }),
])

export type ResponseEvent = Immutable<z.output<typeof responseEventSchema>>
