import type { Grammar } from '../engine.ts'
import { InvalidRequestError } from '../errors.ts'
import type { ToolCall, ToolDefinition } from './chat-template.ts'
import { findJsonValues } from './find-json.ts'
import { withHoistedDefinitions } from './schema-definitions.ts'

export interface ToolGrammarOptions {
  /** Only this function may be called. */
  readonly name?: string | undefined
  /** Allow several calls in one answer (default false). */
  readonly parallel?: boolean | undefined
}

/** What a model said: words, and calls. */
export interface ToolAnswer {
  readonly content: string
  readonly toolCalls: readonly ToolCall[]
}

/**
 * The form of an answer that is a call of one of these functions: `{"name": …, "arguments": {…}}`, or a list of them with
 * `parallel`. For engines with `capabilities.grammar`; read the answer with `parseToolCalls`.
 * @throws InvalidRequestError if there is no function to call, or none called `name`.
 */
export function toolCallGrammar(
  tools: readonly ToolDefinition[],
  { name, parallel }: ToolGrammarOptions = {},
): Grammar {
  const allowed = name === undefined ? tools : tools.filter((tool) => tool.name === name)
  if (allowed.length === 0) throw noSuchTool(tools, name)
  const definitions: Record<string, unknown> = {}
  const calls = allowed.map((tool) => callSchema(tool, definitions))
  const call = calls.length === 1 ? calls[0]! : { anyOf: calls }
  const schema = parallel ? { type: 'array', minItems: 1, items: call } : call
  return {
    type: 'json-schema',
    schema: Object.keys(definitions).length > 0 ? { ...schema, $defs: definitions } : schema,
  }
}

function callSchema({ name, parameters }: ToolDefinition, definitions: Record<string, unknown>): object {
  return {
    type: 'object',
    properties: {
      name: { const: name },
      arguments:
        parameters === undefined ? { type: 'object' } : withHoistedDefinitions(parameters, name, definitions),
    },
    required: ['name', 'arguments'],
    additionalProperties: false,
  }
}

function noSuchTool(tools: readonly ToolDefinition[], name: string | undefined): InvalidRequestError {
  const known = tools.map((tool) => tool.name).join(', ') || 'none'
  const asked = name === undefined ? 'a function' : `the function '${name}'`
  return new InvalidRequestError(`tool_choice asks for ${asked}; functions in tools: ${known}.`, {
    param: 'tool_choice',
  })
}

/** Texts with which models begin or frame a call: Hermes and Qwen, Mistral, Llama 3; or bare JSON. */
const openings = ['<tool_call>', '[TOOL_CALLS]', '<|python_tag|>', '```', '{', '[']
const frames = /<\/?tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|```(?:json)?/g

/**
 * Whether an answer that begins so may turn out to be a call. While it may, a stream of it is better held back; once
 * false it stays false.
 */
export function mayBeToolCall(begin: string): boolean {
  const text = begin.trimStart()
  return text === '' || openings.some((opening) => text.startsWith(opening) || opening.startsWith(text))
}

/**
 * Finds calls of `tools` in a model's answer: in the form of `toolCallGrammar`, and in the forms that models have learnt
 * (`<tool_call>{…}</tool_call>`, `[TOOL_CALLS] […]`, `{"name": …, "parameters": {…}}`). The rest of the text is `content`.
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
  for (const { start, end, value } of findJsonValues(text)) {
    const calls = callsIn(value, names)
    if (calls === undefined) continue
    toolCalls.push(...calls.map((call) => ({ id: newId(), ...call })))
    content += text.slice(position, start)
    position = end
  }
  if (toolCalls.length === 0) return { content: text, toolCalls }
  return { content: (content + text.slice(position)).replace(frames, '').trim(), toolCalls }
}

/** A new id of a call, in the form of OpenAI's. */
export function newToolCallId(): string {
  return `call_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`
}

type Call = Omit<ToolCall, 'id'>

/** The calls that a JSON value is, or undefined if it is anything else. */
function callsIn(value: unknown, names: ReadonlySet<string>): readonly Call[] | undefined {
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
