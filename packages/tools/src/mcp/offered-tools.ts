import type { Tool as McpTool } from '@modelcontextprotocol/client'
import type { Tool } from '@petals-chat/engine'
import { bounds, cut } from '../bounds.ts'
import type { McpServerConfig } from '../config.ts'
import { toolName } from './tool-name.ts'

export interface OfferedTool {
  readonly tool: Tool
  /** As the server describes it, without what it says of results. */
  readonly definition: McpTool
}

export interface OfferedTools {
  readonly tools: readonly OfferedTool[]
  /** Why tools were left out. */
  readonly problem: string | undefined
}

/** The tools of a server that models may be offered. What breaks a bound is left out, and told. */
export function offeredTools(
  listed: readonly McpTool[],
  { name: server, allowedTools }: Pick<McpServerConfig, 'name' | 'allowedTools'>,
): OfferedTools {
  const problems = new Set<string>()
  const found = new Map<string, OfferedTool>()
  let chars = 0
  for (const definition of listed) {
    if (allowedTools !== undefined && !allowedTools.includes(definition.name)) continue
    const problem = problemOf(definition)
    const tool = problem === undefined ? toTool(server, definition) : undefined
    const size = tool === undefined ? 0 : tool.description.length + JSON.stringify(tool.inputSchema).length
    if (tool === undefined) problems.add(`${quoted(definition)} is left out: ${problem}`)
    else if (found.has(tool.name))
      problems.add(`${quoted(definition)} is left out: there are two of that name`)
    else if (found.size === bounds.tools || chars + size > bounds.listChars) {
      problems.add(
        `it has more tools than fit (${bounds.tools}, or ${bounds.listChars} characters): name those that count in allowedTools`,
      )
      break
    } else {
      chars += size
      const { outputSchema: _of_results, ...rest } = definition
      found.set(tool.name, { tool, definition: rest })
    }
  }
  for (const name of allowedTools ?? [])
    if (!listed.some((tool) => tool.name === name))
      problems.add(`it has no tool '${cut(name, 60)}' of allowedTools`)
  return { tools: [...found.values()], problem: sentences([...problems]) }
}

/** A few problems stand for many. */
function sentences(problems: readonly string[]): string | undefined {
  if (problems.length === 0) return undefined
  const more = problems.length > 3 ? [`and ${problems.length - 3} more like these`] : []
  return [...problems.slice(0, 3), ...more].join('; ')
}

const quoted = ({ name }: McpTool): string => `the tool '${cut(name, 60)}'`

function problemOf({ name, inputSchema }: McpTool): string | undefined {
  if (name === '' || name.length > bounds.nameChars)
    return `its name has not 1 to ${bounds.nameChars} characters`
  if (isDeep(inputSchema)) return `its schema has more than ${bounds.schemaDepth} levels`
  if (JSON.stringify(inputSchema).length > bounds.schemaChars)
    return `its schema has more than ${bounds.schemaChars} characters`
  return undefined
}

/** Without recursion: a server may send as many levels as fit into its answer. */
function isDeep(schema: object): boolean {
  let level: readonly object[] = [schema]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === bounds.schemaDepth) return true
    level = level.flatMap((each) => Object.values(each).filter(isObject))
  }
  return false
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

function toTool(server: string, { name, title, description = '', inputSchema, annotations }: McpTool): Tool {
  const shown = title ?? annotations?.title
  return {
    name: toolName(server, name),
    ownName: name,
    title: shown === undefined ? undefined : cut(shown, bounds.nameChars),
    description: cut(description, bounds.descriptionChars),
    inputSchema,
    readOnly: annotations?.readOnlyHint === true,
  }
}
