import { z } from 'zod'
import { errorSchema } from './error.ts'
import type { Immutable } from './immutable.ts'
import { json, type Operation, type OperationTag } from './operation.ts'
import { jsonObject } from './openai/primitives.ts'

export const toolTag: OperationTag = {
  name: 'Tools',
  description:
    'What models may call through the chat page: tools of this server, and those of the MCP servers in `tools.servers` of the ' +
    'configuration. The page offers them in `tools` of a chat completion, and runs each call here.',
}

/** The names that a chat completion takes for functions. */
export const toolNamePattern = /^[a-zA-Z0-9_-]{1,64}$/

const toolSchema = z.object({
  name: z
    .string()
    .regex(toolNamePattern)
    .describe('Unique among the tools of all servers, and a legal name of a function in a chat completion.'),
  title: z.string().optional().describe('A name for people.'),
  description: z.string().describe('What the model reads about it.'),
  inputSchema: jsonObject.describe('JSON schema of the arguments, an object.'),
  readOnly: z
    .boolean()
    .describe(
      'It changes nothing, as its server says (`readOnlyHint` of MCP). Ask before each call of any other tool.',
    ),
  version: z
    .string()
    .describe(
      'Differs when the description, the arguments or `readOnly` change: what a person allowed before was another tool.',
    ),
})

const serverSchema = z.object({
  name: z.string().describe('`name` of the configuration, or `builtin`.'),
  title: z.string().optional().describe('A name for people, as the server gives it.'),
  builtIn: z.boolean().describe('Runs in this server, and is no MCP server.'),
  state: z
    .enum(['ready', 'connecting', 'unreachable'])
    .describe(
      'connecting: ask again in a moment; unreachable: it is tried again when the list is asked for.',
    ),
  problem: z.string().optional().describe('What is wrong, in words; also why some tools are left out.'),
  tools: z.array(toolSchema).describe('The tools that are known now.'),
})

/** Body of `GET /api/tools`. */
export const toolListSchema = z.object({
  servers: z.array(serverSchema),
  limits: z
    .object({
      maxRounds: z.int().describe('How often a model may call tools before it has to answer.'),
      timeoutSeconds: z.number().describe('How long one call may take.'),
      maxResultChars: z.int().describe('A longer result is cut.'),
    })
    .describe(
      '`tools` of the configuration. The server holds the last two; who runs the loop counts the rounds.',
    ),
})

/** Body of `POST /api/tools/call`. */
export const toolCallRequestSchema = z.strictObject({
  name: z.string().min(1).max(64).describe('`name` of a listed tool.'),
  arguments: jsonObject.describe('What the model wrote, parsed.'),
  version: z
    .string()
    .max(64)
    .optional()
    .describe('`version` of the listed tool: if the tool has another one now, it is not called (409).'),
})

/** What a tool returned. */
export const toolResultSchema = z.object({
  text: z.string().describe('The result, or what went wrong, for the content of a `tool` message.'),
  isError: z
    .boolean()
    .describe(
      'The tool failed, could not be reached or took too long; the model may read why and try again.',
    ),
  truncated: z.boolean().describe('The text is the beginning of a longer result.'),
  elapsedMs: z.int(),
})

export type ToolListBody = Immutable<z.output<typeof toolListSchema>>
export type ToolServerBody = ToolListBody['servers'][number]
export type ToolBody = ToolServerBody['tools'][number]
export type ToolCallBody = Immutable<z.output<typeof toolCallRequestSchema>>
export type ToolResultBody = Immutable<z.output<typeof toolResultSchema>>

export const toolOperations: readonly Operation[] = [
  {
    id: 'listTools',
    scope: 'openai',
    method: 'get',
    path: '/api/tools',
    tag: toolTag.name,
    summary: 'The tools that models may call, and the servers that have them',
    description: 'Connects to servers that are not connected, and waits a moment for them.',
    responses: {
      200: {
        description: 'One entry for each server, the built-in tools first.',
        content: json(toolListSchema),
      },
    },
    error: errorSchema,
    errorStatuses: [],
  },
  {
    id: 'callTool',
    scope: 'openai',
    method: 'post',
    path: '/api/tools/call',
    tag: toolTag.name,
    summary: 'Run a tool',
    description: 'Closing the connection cancels the call. A tool that fails is a result with `isError`.',
    request: json(toolCallRequestSchema),
    example: { name: 'calculator', arguments: { expression: '(17 + 4) * 2' } },
    responses: { 200: { description: 'The result.', content: json(toolResultSchema) } },
    error: errorSchema,
    errorStatuses: [400, 404, 409, 429],
  },
]
