import type { JsonGrammar, SchemaDocument } from '../engine.ts'
import { InvalidRequestError } from '../errors.ts'
import type { Call } from './call.ts'
import type { ToolCall, ToolDefinition } from './chat-template.ts'
import { findJsonValues } from './find-json.ts'
import { findNamedCalls, type NamedCalls } from './named-calls.ts'

export interface ToolGrammarOptions {
  /** Only this function may be called. */
  readonly name?: string | undefined
  /** Allow several calls in one answer (default false). */
  readonly parallel?: boolean | undefined
  /** Names the parameters of a function in errors; default `tools[0].parameters`. */
  readonly nameOfParameters?: ((index: number) => string) | undefined
}

/** An answer, divided into words and calls. */
export interface ToolAnswer {
  readonly content: string
  readonly toolCalls: readonly ToolCall[]
}

/**
 * Returns the form of an answer that calls one of these functions: `{"name": …, "arguments": {…}}`, or a list of such
 * calls with `parallel`. For engines with `capabilities.grammar`; read the answer with `parseToolCalls`.
 * @throws InvalidRequestError if there is no function to call, or none is called `name`
 */
export function toolCallGrammar(
  tools: readonly ToolDefinition[],
  { name, parallel, nameOfParameters = (index) => `tools[${index}].parameters` }: ToolGrammarOptions = {},
): JsonGrammar & { readonly type: 'json-schema' } {
  const allowed = tools
    .map((tool, index) => ({ tool, document: nameOfParameters(index) }))
    .filter(({ tool }) => name === undefined || tool.name === name)
  if (allowed.length === 0) throw noSuchTool(tools, name)
  const calls = allowed.map(({ tool, document }) => callSchema(tool, document))
  const call = calls.length === 1 ? calls[0]! : { anyOf: calls }
  return {
    type: 'json-schema',
    schema: parallel ? { type: 'array', minItems: 1, items: call } : call,
    documents: Object.fromEntries(allowed.map(({ tool, document }) => [document, parametersOf(tool)])),
  }
}

const callSchema = ({ name }: ToolDefinition, document: string): object => ({
  type: 'object',
  // Arguments are always an object, whatever the schema says.
  properties: { name: { const: name }, arguments: { type: 'object', $ref: document } },
  required: ['name', 'arguments'],
  additionalProperties: false,
})

/** Returns the schema of the arguments. Its references are relative to its own root. */
function parametersOf({ parameters, strict = false }: ToolDefinition): SchemaDocument {
  if (takesNothing(parameters)) {
    return { schema: { type: 'object', properties: {}, additionalProperties: false }, strict }
  }
  return { schema: parameters, strict }
}

const neutralKeys = new Set(['type', 'properties', 'required', 'title', 'description', '$schema', 'strict'])

/** Clients declare functions without parameters in many ways. A model that is free to invent arguments does so. */
function takesNothing(parameters: unknown): boolean {
  if (parameters === undefined || parameters === null) return true
  if (typeof parameters !== 'object') return false
  return Object.entries(parameters).every(
    ([key, value]) =>
      (neutralKeys.has(key) &&
        (key !== 'properties' || isEmptyObject(value)) &&
        (key !== 'required' || isEmptyList(value))) ||
      (key === 'additionalProperties' && value === false),
  )
}

const isEmptyObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0
const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0
function noSuchTool(tools: readonly ToolDefinition[], name: string | undefined): InvalidRequestError {
  const known = tools.map((tool) => tool.name).join(', ') || 'none'
  const asked = name === undefined ? 'a function' : `the function '${name}'`
  return new InvalidRequestError(`tool_choice asks for ${asked}; functions in tools: ${known}.`, {
    param: 'tool_choice',
  })
}

const frames =
  /<\/?tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|<\|python_start\|>|<\|python_end\|>|```(?:json)?/g

/**
 * Finds calls of `tools` in a model's answer: in the form of `toolCallGrammar`, and in the forms that models are trained on
 * (`<tool_call>{…}</tool_call>`, `[TOOL_CALLS] […]`, `{"name": …, "parameters": {…}}`, and those of `findNamedCalls`). The rest
 * of the text is `content`.
 */
export function parseToolCalls(
  text: string,
  tools: readonly ToolDefinition[],
  newId: () => string = newToolCallId,
): ToolAnswer {
  const names = new Set(tools.map(({ name }) => name))
  const toolCalls: ToolCall[] = []
  let content = ''
  let position = 0
  const parametersOf = (name: string) => tools.find((tool) => tool.name === name)?.parameters
  const named = findNamedCalls(text, names, parametersOf)
  for (const { start, end, calls } of named.length > 0 ? named : findJsonCalls(text, names)) {
    toolCalls.push(...calls.map((call) => ({ id: newId(), ...call })))
    content += text.slice(position, start)
    position = end
  }
  if (toolCalls.length === 0) return { content: text, toolCalls }
  return { content: (content + text.slice(position)).replace(frames, '').trim(), toolCalls }
}

function* findJsonCalls(text: string, names: ReadonlySet<string>): Generator<NamedCalls> {
  for (const { start, end, value } of findJsonValues(text)) {
    const calls = callsIn(value, names)
    if (calls !== undefined) yield { start, end, calls }
  }
}

/** Returns a new id of a call, in the format of OpenAI's. */
export function newToolCallId(): string {
  return `call_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`
}

/** Returns the calls that a JSON value represents, or undefined if it is anything else. */
export function callsIn(value: unknown, names: ReadonlySet<string>): readonly Call[] | undefined {
  if (Array.isArray(value)) {
    const calls = value.map((item) => callsIn(item, names))
    return calls.length > 0 && calls.every((call) => call !== undefined) ? calls.flat() : undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { name, arguments: args, parameters = args } = value as Record<string, unknown>
  if (typeof name !== 'string' || !names.has(name)) return undefined
  const given = parameters ?? {}
  return typeof given === 'object' && !Array.isArray(given)
    ? [{ name, arguments: JSON.stringify(given) }]
    : undefined
}
