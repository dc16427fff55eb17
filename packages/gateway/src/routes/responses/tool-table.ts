import type { RequestTool, ResponseTool } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'

/** A tool of a request, as calls of it name it. */
export interface ClientTool {
  readonly type: 'function' | 'custom'
  readonly name: string
  readonly namespace?: string | undefined
  /** Where the request has it. */
  readonly path: string
}

type Callable = Extract<ResponseTool, { type: 'function' | 'custom' }>
interface Placed extends ClientTool {
  readonly tool: Callable
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

  /** @throws InvalidRequestError if two tools have one name. */
  constructor(tools: readonly ResponseTool[] = []) {
    this.told = tools.filter(({ type }) => type === 'function' || type === 'custom' || type === 'namespace')
    const placed = tools.flatMap(placedTools)
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
    return [...this.#tools].map(([name, { tool }]) => ({
      type: 'function' as const,
      function: tool.type === 'function' ? functionOf(name, tool) : customAsFunction(name, tool),
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

  /** Where the request has the tool that stands at that place of `offered`. */
  pathOf(index: number): string {
    return [...this.#tools.values()][index]?.path ?? `tools[${index}]`
  }
}

const keyOf = (name: string, namespace?: string | null): string => `${namespace ?? ''}/${name}`

/** Each tool with the name that the model sees. A name that is made here has a number after it where another tool has it. */
function withShownNames(placed: readonly Placed[]): readonly (readonly [name: string, tool: Placed])[] {
  const counts = Map.groupBy(placed, ({ name }) => name)
  const isPrefixed = ({ name, namespace }: Placed) => namespace !== undefined && counts.get(name)!.length > 1
  const taken = new Set(placed.flatMap((each) => (isPrefixed(each) ? [] : [each.name])))
  return placed.map((each) => {
    if (!isPrefixed(each)) return [each.name, each]
    const name = freeName(`${each.namespace}__${each.name}`, taken)
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
    return [{ type: tool.type, name: tool.name, path, tool }]
  if (tool.type !== 'namespace') return []
  return tool.tools.map((inner, place) => ({
    type: inner.type,
    name: inner.name,
    namespace: tool.name,
    path: `${path}.tools[${place}]`,
    tool: inner,
  }))
}

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
