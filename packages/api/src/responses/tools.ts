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

/** What the reference has for servers that a request names itself. */
const notConnected = (field: string) =>
  z
    .null({
      error:
        `'${field}' is not supported: this server connects to no address that a request names. Name an MCP server of its ` +
        'configuration (tools.servers) as server_label.',
    })
    .optional()
    .describe('Refused: MCP servers are those of the configuration.')

const ownHeaders = (field: string) =>
  z
    .null({
      error: `'${field}' is not supported: an MCP server gets the headers of the configuration (tools.servers).`,
    })
    .optional()
    .describe('Refused: headers are those of the configuration.')

const toolFilter = z.strictObject({
  tool_names: z.array(z.string().max(128)).max(512).nullish(),
  read_only: z.boolean().nullish().describe('Whether the tool changes nothing, as its server says.'),
})

const mcpTool = z
  .strictObject({
    type: z.literal('mcp'),
    server_label: z
      .string()
      .min(1)
      .max(64)
      .describe('The name of an MCP server of the configuration, or `builtin`.'),
    allowed_tools: z
      .union([z.array(z.string().max(128)).max(512), toolFilter])
      .nullish()
      .describe('The tools that the model is told of, by their names at the server. Default: all of them.'),
    require_approval: z
      .union([
        z.enum(['always', 'never']),
        z.strictObject({ always: toolFilter.nullish(), never: toolFilter.nullish() }),
      ])
      .nullish()
      .meta({ default: 'always' })
      .describe('Which calls have to be approved before they run. Default always.'),
    server_url: notConnected('server_url'),
    connector_id: notConnected('connector_id'),
    tunnel_id: notConnected('tunnel_id'),
    headers: ownHeaders('headers'),
    authorization: ownHeaders('authorization'),
    server_description: ignored('The tools describe themselves.'),
    defer_loading: ignored('All tools are described to the model.'),
    allowed_callers: ignored('Calls always come from the model.'),
  })
  .describe('The tools of an MCP server, which run here.')

const refusesTool = (issue: { readonly input?: unknown }): string => {
  const type = (issue.input as { readonly type?: unknown } | null | undefined)?.type
  return (
    `Tools of type ${JSON.stringify(type)?.slice(0, 100) ?? 'undefined'} run at OpenAI or are known only to its models. ` +
    'Offer a tool of type "function" or "custom", and run it yourself, or one of type "mcp".'
  )
}

/** A tool that is offered: one that the client runs, those of an MCP server, or one that is left out. */
export const responseToolSchema = z.discriminatedUnion(
  'type',
  [functionTool, customTool, namespaceTool, mcpTool, searchTool],
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
  z
    .strictObject({
      type: z.literal('mcp'),
      server_label: z.string().min(1).max(64),
      name: z.string().max(128),
    })
    .describe('A tool of an MCP server.'),
  z.strictObject({
    type: z.literal('allowed_tools'),
    mode: z.enum(['auto', 'required']),
    tools: z.array(named).min(1).max(128),
  }),
])

export type FunctionTool = z.output<typeof functionTool>
export type CustomTool = z.output<typeof customTool>
export type McpToolFilter = z.output<typeof toolFilter>
export type McpRequestTool = z.output<typeof mcpTool>
export type ResponseTool = z.output<typeof responseToolSchema>
export type ResponseToolChoice = z.output<typeof responseToolChoiceSchema>
