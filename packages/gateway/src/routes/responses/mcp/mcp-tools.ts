import type { McpRequestTool, McpToolFilter, ResponseTool } from '@petals-chat/api'
import { type AbortOptions, InvalidRequestError, type Tool, type ToolBox } from '@petals-chat/engine'

/** A tool of an MCP server that a request offers. */
export interface McpTool {
  readonly label: string
  readonly tool: Tool
  /** Its calls run only after they are approved. */
  readonly needsApproval: boolean
  /** Where the request has its server. */
  readonly path: string
}

/** The tools of one MCP server of a request. */
export interface McpList {
  readonly label: string
  readonly tools: readonly McpTool[]
  /** Why there are none, or why some are left out. */
  readonly problem: string | undefined
}

/** Asks the MCP servers of a request for their tools. @throws InvalidRequestError if one is not configured; the signal's reason */
export function listMcpTools(
  tools: readonly ResponseTool[],
  box: ToolBox,
  options: AbortOptions,
): Promise<readonly McpList[]> {
  const entries = tools.flatMap((tool, index) =>
    tool.type === 'mcp' ? [{ tool, path: `tools[${index}]` }] : [],
  )
  for (const [place, { tool, path }] of entries.entries())
    if (entries.findIndex((other) => other.tool.server_label === tool.server_label) < place)
      throw invalid(`${path}.server_label`, `the MCP server '${tool.server_label}' is there twice`)
  return Promise.all(entries.map(({ tool, path }) => listOf(tool, path, box, options)))
}

async function listOf(
  asked: McpRequestTool,
  path: string,
  box: ToolBox,
  options: AbortOptions,
): Promise<McpList> {
  const { server_label: label } = asked
  const source = await box.source(label, options)
  if (source === undefined)
    throw invalid(
      `${path}.server_label`,
      `no MCP server of this server's configuration (tools.servers) is named '${label}'`,
    )
  const tools = source.tools.filter((tool) => isAllowed(tool, asked.allowed_tools))
  return {
    label,
    problem:
      source.problem ??
      (source.state === 'ready' ? undefined : `The MCP server '${label}' did not answer in time.`),
    tools: tools.map((tool) => ({
      label,
      tool,
      path,
      needsApproval: needsApproval(tool, asked.require_approval),
    })),
  }
}

const isAllowed = (tool: Tool, allowed: McpRequestTool['allowed_tools']): boolean => {
  if (allowed == null) return true
  return Array.isArray(allowed) ? allowed.includes(tool.ownName) : matches(tool, allowed)
}

/** Without a rule for the tool, a call has to be approved. */
function needsApproval(tool: Tool, rule: McpRequestTool['require_approval']): boolean {
  if (rule == null || typeof rule === 'string') return rule !== 'never'
  if (rule.always != null && matches(tool, rule.always)) return true
  return rule.never == null || !matches(tool, rule.never)
}

const matches = (tool: Tool, { tool_names: names, read_only: readOnly }: McpToolFilter): boolean =>
  (names == null || names.includes(tool.ownName)) && (readOnly == null || readOnly === tool.readOnly)

const invalid = (param: string, problem: string): InvalidRequestError =>
  new InvalidRequestError(`Invalid '${param}': ${problem}.`, { param, reason: 'invalid_value' })
