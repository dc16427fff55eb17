import { createHash } from 'node:crypto'
import { toolCallRequestSchema, type ToolListBody, type ToolResultBody } from '@petals-chat/api'
import { CapacityError, type Tool, type ToolSource } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseRequest } from '../generation/request/parse-request.ts'

/** How long a list waits for servers that are not connected yet. */
const WAIT_MS = 2_000
const RETRY_MS = 1_000

/** `/api/tools`: the tools that the page offers to models, and their calls. */
export const toolRoutes: RouteModule = ({ tools, toolCalls }) =>
  new Hono<{ Variables: GatewayVariables }>()
    .get('/api/tools', async (c) => {
      const sources = await tools.list({ signal: c.var.signal, waitMs: WAIT_MS })
      const { maxRounds, timeoutSeconds, maxResultChars } = tools.limits
      c.header('cache-control', 'no-store')
      return c.json({
        servers: sources.filter(hasSomething).map(serverBody),
        limits: { maxRounds, timeoutSeconds, maxResultChars },
      } satisfies ToolListBody)
    })
    .post('/api/tools/call', async (c) => {
      const { name, arguments: input, version } = await parseRequest(c.req, toolCallRequestSchema)
      const { account, signal } = c.var
      using slot = toolCalls.tryEnter(account)
      if (slot === undefined)
        throw new CapacityError(`${toolCalls.max} of your calls of tools are running. Wait for one to end.`, {
          retryAfterMs: RETRY_MS,
        })
      const tool = await tools.find(name, { signal })
      if (tool === undefined) throw unknownTool(name)
      if (version !== undefined && version !== versionOf(tool)) throw changedTool(name)
      return c.json((await tools.call(name, input, { signal })) satisfies ToolResultBody)
    })

/** A page has no use for built-in tools that are all switched off. */
const hasSomething = ({ builtIn, tools }: ToolSource): boolean => !builtIn || tools.length > 0

const serverBody = ({ tools, ...server }: ToolSource): ToolListBody['servers'][number] => ({
  ...server,
  tools: tools.map(({ ownName, ...tool }) => ({ ...tool, version: versionOf({ ownName, ...tool }) })),
})

/** A digest of what a person and a model know of a tool. */
const versionOf = ({ description, inputSchema, readOnly }: Tool): string =>
  createHash('sha256')
    .update(JSON.stringify([description, inputSchema, readOnly]))
    .digest('hex')
    .slice(0, 16)

const changedTool = (name: string): GatewayError =>
  new GatewayError(
    'tool_changed',
    `The tool '${name}' has changed since it was listed, and was not called. Ask for GET /api/tools again, and for consent.`,
  )

const unknownTool = (name: string): GatewayError =>
  new GatewayError(
    'unknown_tool',
    `There is no tool '${name.slice(0, 64)}', or its server can't be reached now. GET /api/tools lists those that there are.`,
  )
