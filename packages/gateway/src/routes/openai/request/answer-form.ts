import {
  type Grammar,
  InvalidRequestError,
  type Model,
  toolCallGrammar,
  type ToolDefinition,
} from '@petals-chat/engine'
import type { ToolCallFinderOptions } from '../response/tool-call-finder.ts'
import type { RequestTool, ResponseFormat, ToolChoice } from '../schemas/answer-form.ts'
import type { ChatRequest } from '../schemas/chat-request.ts'
import { checkJson } from './json-bounds.ts'

type FormRequest = Pick<ChatRequest, 'tools' | 'tool_choice' | 'parallel_tool_calls' | 'response_format'>

/** What a request says about the form of its answer. */
export interface AnswerForm {
  readonly grammar?: Grammar | undefined
  /** Functions that the model is told of, and how calls of them are found in the answer. */
  readonly tools?: ToolCallFinderOptions | undefined
}

/** @throws InvalidRequestError if the fields contradict each other, or the model's engine can't force a form. */
export function answerForm(request: FormRequest, model: Pick<Model, 'id' | 'capabilities'>): AnswerForm {
  const form = wantedForm(request)
  if (form.grammar === undefined || model.capabilities.grammar) return form
  const param = form.tools ? 'tool_choice' : 'response_format'
  const instead = form.tools ? `Use tool_choice "auto"` : 'Describe the form in the messages'
  throw new InvalidRequestError(
    `The engine of the model '${model.id}' can't force the form of an answer, so '${param}' is not supported. ` +
      `${instead}, or take a model whose capabilities have "grammar" (GET /v1/models).`,
    { param, reason: 'unsupported_parameter' },
  )
}

function wantedForm(request: FormRequest): AnswerForm {
  const tools = toolsInPlay(request)
  const grammar = formatGrammar(request.response_format)
  if (tools === undefined) return { grammar }
  if (grammar !== undefined) {
    throw new InvalidRequestError(
      `'response_format' can't be combined with tools that may be called. Leave one of them out, or send tool_choice "none".`,
      { param: 'response_format', reason: 'invalid_value' },
    )
  }
  // A list of calls invites small models to go on for ever: only where it is asked for, or the model starts it by itself.
  return tools.choice === 'auto'
    ? { tools: { tools: tools.definitions, forced: false, parallel: request.parallel_tool_calls !== false } }
    : forcedCall(tools.definitions, tools.choice, request.parallel_tool_calls === true)
}

function forcedCall(
  tools: readonly ToolDefinition[],
  choice: Exclude<ToolChoice, 'auto' | 'none' | 'any'>,
  parallel: boolean,
): AnswerForm {
  const name = choice === 'required' ? undefined : choice.function.name
  const grammar = toolCallGrammar(tools, { name, parallel: parallel && name === undefined })
  return { grammar, tools: { tools, forced: true, parallel } }
}

interface ToolsInPlay {
  readonly definitions: readonly ToolDefinition[]
  readonly choice: Exclude<ToolChoice, 'none' | 'any'>
}

function toolsInPlay({ tools, tool_choice: asked }: FormRequest): ToolsInPlay | undefined {
  const choice = asked === 'any' ? 'required' : asked
  if (tools?.length) {
    const definitions = toToolDefinitions(tools)
    return choice === 'none' ? undefined : { definitions, choice: choice ?? 'auto' }
  }
  if (choice == null || choice === 'none' || choice === 'auto') return undefined
  throw new InvalidRequestError(`'tool_choice' is only allowed when 'tools' are specified.`, {
    param: 'tool_choice',
    reason: 'invalid_value',
  })
}

/** @throws InvalidRequestError if two functions have the same name or a schema is out of bounds. */
export function toToolDefinitions(tools: readonly RequestTool[]): readonly ToolDefinition[] {
  const names = new Set<string>()
  return tools.map(({ function: { name, description, parameters } }, index) => {
    if (names.has(name)) {
      const param = `tools[${index}].function.name`
      throw new InvalidRequestError(`'${param}': there are two functions '${name}'.`, {
        param,
        reason: 'invalid_value',
      })
    }
    names.add(name)
    checkJson(parameters, `tools[${index}].function.parameters`)
    return { name, description: description ?? undefined, parameters: parameters ?? undefined }
  })
}

function formatGrammar(format: ResponseFormat | null | undefined): Grammar | undefined {
  switch (format?.type) {
    case 'json_object':
      return { type: 'json-object' }
    case 'json_schema':
      checkJson(format.json_schema.schema, 'response_format.json_schema.schema')
      return { type: 'json-schema', schema: format.json_schema.schema }
    default:
      return undefined
  }
}
