import type { FormFields, ResponseFormat } from '@petals-chat/api'
import { type Grammar, InvalidRequestError, type JsonGrammar } from '@petals-chat/engine'
import { parseRequestJson } from '../../request-json.ts'
import { checkJson } from './json-bounds.ts'

/** A format that a request sets for its answer, and the field that sets it. */
export interface WantedForm {
  readonly grammar: Grammar
  readonly param: string
}

const MAX_CHOICES = 2000

/**
 * The format that the fields of a request set: OpenAI's `response_format`, and the fields of llama-server and vLLM.
 * @throws InvalidRequestError if two fields set a format, or one is invalid.
 */
export function wantedForm(request: FormFields): WantedForm | undefined {
  const forms = [...formatOf(request.response_format), ...ownFields(request)]
  const [form, other] = forms
  if (other === undefined) return form
  throw new InvalidRequestError(
    `'${form!.param}' and '${other.param}' both set the format of the answer; omit one of them.`,
    {
      param: other.param,
      reason: 'invalid_value',
    },
  )
}

function formatOf(format: ResponseFormat | null | undefined): readonly WantedForm[] {
  const param = 'response_format'
  switch (format?.type) {
    case 'json_object':
    case 'json':
      return [objectForm(format, param)]
    case 'json_schema': {
      const { json_schema: named, schema } = format
      if (named) return [schemaForm(named.schema, `${param}.json_schema.schema`, named.strict ?? false)]
      if (schema) return [schemaForm(schema, `${param}.schema`)]
      throw missing(`${param}.json_schema`)
    }
    case 'regex':
      return [{ grammar: { type: 'regex', pattern: format.value }, param: `${param}.value` }]
    case 'grammar':
      return [{ grammar: { type: 'gbnf', source: format.grammar }, param: `${param}.grammar` }]
    default:
      return []
  }
}

function objectForm(
  {
    schema,
    value,
  }: { readonly schema?: object | null | undefined; readonly value?: object | null | undefined },
  param: string,
): WantedForm {
  if (schema) return schemaForm(schema, `${param}.schema`)
  return value ? schemaForm(value, `${param}.value`) : { grammar: { type: 'json-object' }, param }
}

function ownFields(request: FormFields): readonly WantedForm[] {
  const { structured_outputs: vllm } = request
  return [
    ...jsonForm(request.json_schema, 'json_schema'),
    ...jsonForm(request.guided_json, 'guided_json'),
    ...regexForm(request.guided_regex, 'guided_regex'),
    ...choiceForm(request.guided_choice, 'guided_choice'),
    ...gbnfForm(request.guided_grammar, 'guided_grammar'),
    ...gbnfForm(request.grammar, 'grammar'),
    ...jsonForm(vllm?.json, 'structured_outputs.json'),
    ...regexForm(vllm?.regex, 'structured_outputs.regex'),
    ...choiceForm(vllm?.choice, 'structured_outputs.choice'),
    ...gbnfForm(vllm?.grammar, 'structured_outputs.grammar'),
    ...(vllm?.json_object
      ? [{ grammar: { type: 'json-object' } as const, param: 'structured_outputs.json_object' }]
      : []),
  ]
}

function jsonForm(schema: object | string | null | undefined, param: string): readonly WantedForm[] {
  if (schema == null) return []
  return [schemaForm(typeof schema === 'string' ? parsedSchema(schema, param) : schema, param)]
}

function parsedSchema(source: string, param: string): unknown {
  try {
    return parseRequestJson(source)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new InvalidRequestError(`Invalid '${param}': the text is not JSON.`, {
      param,
      reason: 'invalid_value',
    })
  }
}

const regexForm = (pattern: string | null | undefined, param: string): readonly WantedForm[] =>
  pattern == null ? [] : [{ grammar: { type: 'regex', pattern }, param }]

const gbnfForm = (source: string | null | undefined, param: string): readonly WantedForm[] =>
  source ? [{ grammar: { type: 'gbnf', source }, param }] : []

/** Restricts the answer to one of some texts. */
function choiceForm(choices: readonly string[] | null | undefined, param: string): readonly WantedForm[] {
  if (choices == null) return []
  if (choices.length > MAX_CHOICES) {
    throw new InvalidRequestError(`Invalid '${param}': there are more than ${MAX_CHOICES} choices.`, {
      param,
      reason: 'invalid_value',
    })
  }
  return [{ grammar: { type: 'gbnf', source: `root ::= ${choices.map(gbnfText).join(' | ')}` }, param }]
}

const gbnfText = (text: string): string =>
  `"${text.replace(/[\\"\u0000-\u001f\u007f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`

function schemaForm(schema: unknown, param: string, strict = false): WantedForm {
  checkJson(schema, param)
  const grammar: JsonGrammar = { type: 'json-schema', schema, strict, name: param }
  return { grammar, param }
}

const missing = (param: string): InvalidRequestError =>
  new InvalidRequestError(`Missing required parameter: '${param}'.`, {
    param,
    reason: 'missing_required_parameter',
  })
