import { z } from 'zod'
import { ignored, jsonObject, text } from '../openai/primitives.ts'

const refusesBlock = (issue: { readonly input?: unknown }): string => {
  const type = (issue.input as { readonly type?: unknown } | null | undefined)?.type
  return (
    `Content blocks of type ${JSON.stringify(type)?.slice(0, 100) ?? 'undefined'} are not supported here: models of this ` +
    'server read only text. Send its words in a block of type "text".'
  )
}

const blockExtras = {
  cache_control: ignored('A marker for Anthropic’s prompt cache: KV caches are found by prefix, without it.'),
  citations: ignored('Places that an answer refers to.'),
}

export const textBlockParam = z.strictObject({ type: z.literal('text'), text, ...blockExtras })

const plainSource = z
  .union([
    z.strictObject({ type: z.literal('text'), media_type: z.literal('text/plain'), data: text }),
    z.strictObject({ type: z.literal('content'), content: z.union([text, z.array(textBlockParam)]) }),
  ])
  .describe('Plain text. PDF files are refused.')

const documentBlock = z
  .strictObject({
    type: z.literal('document'),
    source: plainSource,
    title: text.nullish(),
    context: text.nullish(),
    ...blockExtras,
  })
  .describe('Becomes text: its title, its context, its words.')

const searchResultBlock = z
  .strictObject({
    type: z.literal('search_result'),
    source: text,
    title: text,
    content: z.array(textBlockParam),
    ...blockExtras,
  })
  .describe('Becomes text: its title, its source, its words.')

const readable = [textBlockParam, documentBlock, searchResultBlock] as const

const toolResultBlock = z.strictObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string().min(1).max(256),
  content: z
    .union([text, z.array(z.discriminatedUnion('type', readable, { error: refusesBlock }))])
    .nullish()
    .describe('A text, or blocks of text.'),
  is_error: z.boolean().nullish().describe('The model reads “Error: ” before the text.'),
  toolset_name: ignored('The group of the tool.'),
  ...blockExtras,
})

const toolUseBlock = z.strictObject({
  type: z.literal('tool_use'),
  id: z.string().min(1).max(256),
  name: z.string().min(1).max(200),
  input: jsonObject,
  caller: ignored('What called the tool.'),
  toolset_name: ignored('The group of the tool.'),
  ...blockExtras,
})

const ownThoughts = 'Templates omit earlier thoughts. Accepted and ignored.'
const thinkingBlock = z
  .strictObject({ type: z.literal('thinking'), thinking: text, signature: ignored('Its signature.') })
  .describe(ownThoughts)
const redactedBlock = z
  .strictObject({ type: z.literal('redacted_thinking'), data: ignored('Its data.') })
  .describe(ownThoughts)

const systemContent = z.union([text, z.array(textBlockParam)])

const userMessage = z.strictObject({
  role: z.literal('user'),
  content: z.union([
    text,
    z.array(z.discriminatedUnion('type', [...readable, toolResultBlock], { error: refusesBlock })).min(1),
  ]),
})
const assistantMessage = z.strictObject({
  role: z.literal('assistant'),
  content: z.union([
    text,
    z.array(
      z.discriminatedUnion('type', [textBlockParam, toolUseBlock, thinkingBlock, redactedBlock], {
        error: refusesBlock,
      }),
    ),
  ]),
})
const systemMessage = z.strictObject({ role: z.literal('system'), content: systemContent })

/** One turn of the dialogue, in Anthropic's form. */
export const messageParamSchema = z.discriminatedUnion('role', [userMessage, assistantMessage, systemMessage])

export const systemField = systemContent
  .nullish()
  .describe('The system prompt, as a text or as blocks of text.')

export type MessageParam = z.output<typeof messageParamSchema>
export type SystemParam = z.output<typeof systemContent>
/** A block that is read as text. */
export type ReadableBlock = z.output<(typeof readable)[number]>
export type ToolResultBlock = z.output<typeof toolResultBlock>
