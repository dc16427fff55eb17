import type { ChatRequest, RequestTool } from '@petals-chat/api'
import {
  type Grammar,
  InvalidRequestError,
  type JsonGrammar,
  type Model,
  toolCallGrammar,
  type ToolDefinition,
} from '@petals-chat/engine'
import type { ToolCallFinderOptions } from '../chat/tool-call-finder.ts'
import { wantedForm, type WantedForm } from './forms.ts'
import { checkJson } from './json-bounds.ts'
import { wantedCalls } from './tool-choice.ts'

type FormRequest = Parameters<typeof wantedForm>[0] &
  Pick<ChatRequest, 'tools' | 'tool_choice' | 'parallel_tool_calls'>

/** The format that a request sets for its answer. */
export interface AnswerForm {
  readonly grammar?: Grammar | undefined
  /** The field that asks for the grammar. */
  readonly param?: string | undefined
  /** The functions that the prompt describes, and how their calls are found in the answer. */
  readonly tools?: ToolCallFinderOptions | undefined
}

/** @throws InvalidRequestError if the fields contradict each other, or the model's engine can't enforce a format. */
export function answerForm(request: FormRequest, model: Pick<Model, 'id' | 'capabilities'>): AnswerForm {
  const form = formOf(request)
  requireGrammar(form, model)
  return form
}

/** @throws InvalidRequestError if the request sets a format that the model's engine can't enforce. */
export function requireGrammar(
  { grammar, param = 'response_format' }: Pick<AnswerForm, 'grammar' | 'param'>,
  model: Pick<Model, 'id' | 'capabilities'>,
): void {
  if (grammar === undefined || model.capabilities.grammar) return
  const field = param.split('.')[0]!
  const instead = field === 'tool_choice' ? `Use tool_choice "auto"` : 'Describe the format in the messages'
  throw new InvalidRequestError(
    `The engine of the model '${model.id}' can't enforce the format of an answer, so '${field}' is not supported. ` +
      `${instead}, or use a model whose capabilities have "grammar" (GET /v1/models).`,
    { param: field, reason: 'unsupported_parameter' },
  )
}

function formOf(request: FormRequest): AnswerForm {
  const tools = toolsInPlay(request)
  const form = wantedForm(request)
  if (tools === undefined) return { ...form }
  // A list of calls invites small models to continue forever: allow it only where the request or the model asks for it.
  const isList = request.parallel_tool_calls === true && !tools.isSingle
  const definitions = tools.allowed.map(({ definition }) => definition)
  if (tools.mode === 'required') {
    const grammar = callGrammar(tools.allowed, isList)
    return { grammar, param: 'tool_choice', tools: { tools: definitions, forced: true, parallel: isList } }
  }
  const finder = { tools: definitions, forced: false, parallel: request.parallel_tool_calls !== false }
  return form === undefined
    ? { tools: finder }
    : { ...callOrForm(callGrammar(tools.allowed, isList), form), tools: finder }
}

/** A call, in one of the two notations that models have learnt, or an answer in the format. */
function callOrForm(call: JsonGrammar, form: WantedForm): Required<Pick<AnswerForm, 'grammar' | 'param'>> {
  const { grammar, param } = form
  if (grammar.type !== 'json-object' && grammar.type !== 'json-schema') {
    throw new InvalidRequestError(
      `'${param}' can't be combined with tools that may be called; a JSON schema can. Omit one of them, or send tool_choice "none".`,
      { param, reason: 'invalid_value' },
    )
  }
  const framed = { before: '<tool_call>\n', grammar: call, after: '\n</tool_call>' }
  return { grammar: { type: 'either', forms: [framed, { grammar: call }, { grammar }] }, param }
}

function callGrammar(tools: readonly AllowedTool[], parallel: boolean): JsonGrammar {
  return toolCallGrammar(
    tools.map(({ definition }) => definition),
    { parallel, nameOfParameters: (index) => `tools[${tools[index]!.index}].function.parameters` },
  )
}

interface AllowedTool {
  readonly definition: ToolDefinition
  /** Index of the tool in the request. */
  readonly index: number
}

interface ToolsInPlay {
  readonly isSingle: boolean
  readonly allowed: readonly AllowedTool[]
  readonly mode: 'auto' | 'required'
}

function toolsInPlay({ tools, tool_choice: choice }: FormRequest): ToolsInPlay | undefined {
  const { mode, names, isSingle = false } = wantedCalls(choice)
  if (!tools?.length) {
    if (mode !== 'required') return undefined
    throw invalidChoice(`'tool_choice' is only allowed when 'tools' are specified.`)
  }
  const all = toToolDefinitions(tools)
  if (mode === 'none') return undefined
  const unknown = names?.find((name) => !all.some((tool) => tool.name === name))
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(', ')
    throw invalidChoice(`'tool_choice' names the function '${unknown}', which is not in tools: ${known}.`)
  }
  const allowed = all.map((definition, index) => ({ definition, index }))
  return {
    isSingle,
    mode,
    allowed: names ? allowed.filter(({ definition }) => names.includes(definition.name)) : allowed,
  }
}

const invalidChoice = (message: string): InvalidRequestError =>
  new InvalidRequestError(message, { param: 'tool_choice', reason: 'invalid_value' })

/** @throws InvalidRequestError if two functions have the same name, or a schema exceeds a limit. */
export function toToolDefinitions(tools: readonly RequestTool[]): readonly ToolDefinition[] {
  const names = new Set<string>()
  return tools.map(({ function: { name, description, parameters, strict } }, index) => {
    if (names.has(name)) {
      const param = `tools[${index}].function.name`
      throw new InvalidRequestError(`Invalid '${param}': there are two functions named '${name}'.`, {
        param,
        reason: 'invalid_value',
      })
    }
    names.add(name)
    checkJson(parameters, `tools[${index}].function.parameters`)
    return {
      name,
      description: description ?? undefined,
      parameters: parameters ?? undefined,
      strict: strict ?? undefined,
    }
  })
}
