import { z } from 'zod'
import { ignored, jsonObject, text } from '../openai/primitives.ts'

const toolName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,128}$/, 'Tool names are 1 to 128 letters, digits, underscores and dashes.')

const toolExtras = {
  defer_loading: ignored('All tools are described to the model.'),
  allowed_callers: ignored('Calls always come from the model.'),
  output_schema: ignored('The form of the result.'),
}

const functionTool = z.strictObject({
  type: z.literal('function'),
  name: toolName,
  description: text.nullish(),
  parameters: jsonObject.nullish().describe('A JSON schema of an object.'),
  strict: z
    .boolean()
    .nullish()
    .describe('Forced calls always follow the schema; true: parts that can’t be enforced are refused.'),
  ...toolExtras,
})

const customTool = z
  .strictObject({
    type: z.literal('custom'),
    name: toolName,
    description: text.nullish(),
    format: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('text') }),
        z.strictObject({
          type: z.literal('grammar'),
          syntax: z.enum(['lark', 'regex']),
          definition: text.max(262_144),
        }),
      ])
      .nullish()
      .describe('The model reads the grammar. A regex is enforced where the call is forced.'),
    ...toolExtras,
  })
  .describe('A tool whose input is a text. The model calls it as a function with one text.')

const namespaceTool = z
  .strictObject({
    type: z.literal('namespace'),
    name: toolName,
    description: text.nullish(),
    tools: z.array(z.discriminatedUnion('type', [functionTool, customTool])).max(128),
  })
  .describe('A group of tools. Calls of them have `namespace`.')

const searchTool = z
  .looseObject({
    type: z.enum([
      'web_search',
      'web_search_2025_08_26',
      'web_search_preview',
      'web_search_preview_2025_03_11',
      'tool_search',
    ]),
  })
  .describe('Runs at OpenAI, and no model has to use it: accepted, and the model is not told of it.')

const refusesTool = (issue: { readonly input?: unknown }): string => {
  const type = (issue.input as { readonly type?: unknown } | null | undefined)?.type
  return (
    `Tools of type ${JSON.stringify(type)?.slice(0, 100) ?? 'undefined'} run at OpenAI or are known only to its models. ` +
    'Offer a tool of type "function" or "custom", and run it yourself.'
  )
}

/** A tool that is offered: one that the client runs, or one that is left out. */
export const responseToolSchema = z.discriminatedUnion(
  'type',
  [functionTool, customTool, namespaceTool, searchTool],
  { error: refusesTool },
)

const named = z.strictObject({
  type: z.enum(['function', 'custom']),
  name: toolName,
  namespace: toolName.nullish(),
})

export const responseToolChoiceSchema = z.union([
  z.enum(['none', 'auto', 'required']),
  named,
  z.strictObject({
    type: z.literal('allowed_tools'),
    mode: z.enum(['auto', 'required']),
    tools: z.array(named).min(1).max(128),
  }),
])

export type FunctionTool = z.output<typeof functionTool>
export type CustomTool = z.output<typeof customTool>
export type ResponseTool = z.output<typeof responseToolSchema>
export type ResponseToolChoice = z.output<typeof responseToolChoiceSchema>
