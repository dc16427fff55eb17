import type { RequestTool, ResponseTool } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import type { McpTool } from './mcp/mcp-tools.ts'

/** A tool of a request, as calls of it name it. */
export interface ClientTool {
  readonly type: 'function' | 'custom' | 'mcp'
  readonly name: string
  readonly namespace?: string | undefined
  /** Where the request has it. */
  readonly path: string
  /** The tool of an MCP server, whose label is `namespace`. */
  readonly mcp?: McpTool | undefined
}

type Callable = Extract<ResponseTool, { type: 'function' | 'custom' }>
interface Placed extends ClientTool {
  readonly offered: (shownName: string) => RequestTool['function']
}

/** The most tools of all groups together. */
const MAX_TOOLS = 512

/**
 * The tools of a request, and the names under which the model knows them: their own, or with their group's name before it
 * (and a number after it, if that name is taken) where two groups have tools of the same name.
 */
export class ToolTable {
  readonly #tools: ReadonlyMap<string, Placed>
  readonly #shown = new Map<string, string>()
  /** The tools of the request that the model is told of, as the request has them. */
  readonly told: readonly ResponseTool[]

  /** `mcp`: the tools of the MCP servers among `tools`. @throws InvalidRequestError if two tools have one name. */
  constructor(tools: readonly ResponseTool[] = [], mcp: readonly McpTool[] = []) {
    this.told = tools.filter(({ type }) => toldTypes.has(type))
    const placed = [...tools.flatMap(placedTools), ...mcp.map(placedMcpTool)]
    if (placed.length > MAX_TOOLS)
      throw invalid('tools', `the groups have more than ${MAX_TOOLS} tools together`)
    const shown = withShownNames(placed)
    for (const [name, { path, ...tool }] of shown) {
      const key = keyOf(tool.name, tool.namespace)
      if (this.#shown.has(key)) throw invalid(`${path}.name`, `there are two tools named '${tool.name}'`)
      this.#shown.set(key, name)
    }
    this.#tools = new Map(shown)
  }

  /** The tools as a chat request offers them. */
  get offered(): readonly RequestTool[] {
    return [...this.#tools].map(([name, { offered }]) => ({
      type: 'function' as const,
      function: offered(name),
    }))
  }

  /** The name under which the model knows a tool. One that is not offered keeps its own. */
  shownName(name: string, namespace?: string | null): string {
    return this.#shown.get(keyOf(name, namespace)) ?? this.#shown.get(keyOf(name)) ?? name
  }

  /** The tool that the model calls by that name. */
  find(shownName: string): ClientTool {
    return this.#tools.get(shownName) ?? { type: 'function', name: shownName, path: 'tools' }
  }

  /** Whether a call of that name is one of an MCP server that needs no approval. */
  runsHere(shownName: string): boolean {
    return this.#tools.get(shownName)?.mcp?.needsApproval === false
  }

  /** The name of an MCP server's tool in the tool box. */
  boxName(shownName: string): string {
    return this.#tools.get(shownName)?.mcp?.tool.name ?? shownName
  }

  /** Where the request has the tool that stands at that place of `offered`. */
  pathOf(index: number): string {
    return [...this.#tools.values()][index]?.path ?? `tools[${index}]`
  }
}

const toldTypes: ReadonlySet<ResponseTool['type']> = new Set(['function', 'custom', 'namespace', 'mcp'])

const keyOf = (name: string, namespace?: string | null): string => `${namespace ?? ''}/${name}`

/** Each tool with the name that the model sees. A name that is made here has a number after it where another tool has it. */
function withShownNames(placed: readonly Placed[]): readonly (readonly [name: string, tool: Placed])[] {
  const counts = Map.groupBy(placed, ({ name }) => name)
  const isOwn = ({ name, namespace, mcp }: Placed) =>
    mcp === undefined && (namespace === undefined || counts.get(name)!.length === 1)
  const taken = new Set(placed.flatMap((each) => (isOwn(each) ? [each.name] : [])))
  return placed.map((each) => {
    if (isOwn(each)) return [each.name, each]
    const name = freeName(each.mcp?.tool.name ?? `${each.namespace}__${each.name}`, taken)
    taken.add(name)
    return [name, each]
  })
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name
  for (let number = 2; taken.has(free); number++) free = `${name}_${number}`
  return free
}

function placedTools(tool: ResponseTool, index: number): readonly Placed[] {
  const path = `tools[${index}]`
  if (tool.type === 'function' || tool.type === 'custom')
    return [{ type: tool.type, name: tool.name, path, offered: asFunction(tool) }]
  if (tool.type !== 'namespace') return []
  return tool.tools.map((inner, place) => ({
    type: inner.type,
    name: inner.name,
    namespace: tool.name,
    path: `${path}.tools[${place}]`,
    offered: asFunction(inner),
  }))
}

/** The name in the tool box is unique and legal; that at the server need not be. */
function placedMcpTool(mcp: McpTool): Placed {
  const { description, inputSchema: parameters, ownName } = mcp.tool
  return {
    type: 'mcp',
    name: ownName,
    namespace: mcp.label,
    path: mcp.path,
    mcp,
    offered: (name) => ({ name, description, parameters: { ...parameters } }),
  }
}

const asFunction =
  (tool: Callable) =>
  (name: string): RequestTool['function'] =>
    tool.type === 'function' ? functionOf(name, tool) : customAsFunction(name, tool)

function functionOf(name: string, tool: Extract<Callable, { type: 'function' }>): RequestTool['function'] {
  const { description, parameters, strict } = tool
  return { name, description, parameters, strict }
}

function customAsFunction(
  name: string,
  tool: Extract<Callable, { type: 'custom' }>,
): RequestTool['function'] {
  const { description, format } = tool
  const isGrammar = format?.type === 'grammar'
  const rule = isGrammar
    ? `The input follows this ${format.syntax} grammar:\n${format.definition}`
    : undefined
  const pattern = isGrammar && format.syntax === 'regex' ? { pattern: `^(?:${format.definition})$` } : {}
  return {
    name,
    description: [description, rule].filter((text) => text != null).join('\n\n'),
    parameters: {
      type: 'object',
      properties: { input: { type: 'string', ...pattern } },
      required: ['input'],
      additionalProperties: false,
    },
  }
}

const invalid = (param: string, problem: string): InvalidRequestError =>
  new InvalidRequestError(`Invalid '${param}': ${problem}.`, { param, reason: 'invalid_value' })
