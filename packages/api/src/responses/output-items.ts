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
])

export type TextLogprob = Immutable<z.output<typeof textLogprobSchema>>
export type OutputText = Immutable<z.output<typeof outputTextSchema>>
export type OutputItem = Immutable<z.output<typeof outputItemSchema>>
