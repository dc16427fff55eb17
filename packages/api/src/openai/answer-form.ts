import { z } from 'zod'
import { ignored, jsonObject, text } from './primitives.ts'

const functionName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, 'Function names are 1 to 64 letters, digits, underscores and dashes.')

export const toolSchema = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: functionName,
    description: text.nullish(),
    parameters: jsonObject
      .nullish()
      .describe('A JSON schema of an object; omitted or without properties: no parameters.'),
    strict: z
      .boolean()
      .nullish()
      .describe(
        'Forced calls always follow the schema; true: parts that a grammar can’t enforce are refused instead of dropped.',
      ),
  }),
  cache_control: ignored('A marker for prompt caches of other APIs.'),
})

const namedFunction = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({ name: functionName }),
})
const flatNamed = z.strictObject({ type: z.literal('function'), name: functionName })

export const toolChoiceSchema = z
  .union([
    z.enum(['none', 'auto', 'required', 'any']),
    namedFunction,
    flatNamed,
    z.strictObject({ type: z.literal('tool'), name: functionName }),
    z.strictObject({ type: z.enum(['auto', 'none', 'required', 'any']) }),
    z.strictObject({
      type: z.literal('allowed_tools'),
      allowed_tools: z.strictObject({
        mode: z.enum(['auto', 'required']),
        tools: z
          .array(z.union([namedFunction, flatNamed]))
          .min(1)
          .max(128),
      }),
    }),
  ])
  .describe('`any` is Mistral’s word for `required`; a function may be named in the ways of other APIs.')

const schemaField = jsonObject.nullish().describe('A JSON schema, as in llama-server.')
const valueField = jsonObject.nullish().describe('The same, as in TGI.')
const strict = z
  .boolean()
  .nullish()
  .describe(
    'Answers always follow the schema; true: parts that a grammar can’t enforce are refused instead of dropped.',
  )

export const responseFormatSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z
    .strictObject({ type: z.literal('json_object'), schema: schemaField, value: valueField })
    .describe('Any JSON object, or an object of a schema.'),
  z
    .strictObject({ type: z.literal('json'), schema: schemaField, value: valueField })
    .describe('The same, as in TGI.'),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z
      .strictObject({ name: functionName.nullish(), description: text.nullish(), schema: jsonObject, strict })
      .nullish(),
    schema: schemaField,
  }),
  z.strictObject({ type: z.literal('regex'), value: z.string().max(4000) }).describe('As in TGI.'),
  z
    .strictObject({ type: z.literal('grammar'), grammar: z.string().max(262_144) })
    .describe('GBNF, as in Fireworks.'),
])

const jsonSchema = z.union([jsonObject, z.string().max(1_000_000)]).nullish()
const regex = z.string().max(4000).nullish()
const choice = z.array(z.string().min(1).max(10_000)).min(1).max(2000).nullish()
const gbnf = z.string().max(262_144).nullish()

/** The fields of llama-server and vLLM that correspond to `response_format`. At most one of them. Extensions. */
export const formFields = {
  json_schema: jsonSchema.describe('A JSON schema of the answer (llama-server). Extension.'),
  grammar: gbnf.describe('A GBNF grammar of the answer (llama-server). Extension.'),
  guided_json: jsonSchema.describe('A JSON schema of the answer (vLLM). Extension.'),
  guided_regex: regex.describe('A regular expression that matches the whole answer (vLLM). Extension.'),
  guided_choice: choice.describe('The texts that the answer is chosen from (vLLM). Extension.'),
  guided_grammar: gbnf.describe('A GBNF grammar of the answer (vLLM). Extension.'),
  structured_outputs: z
    .strictObject({
      json: jsonSchema,
      regex,
      choice,
      grammar: gbnf,
      json_object: z.boolean().nullish(),
    })
    .nullish()
    .describe('One of these, as in vLLM. Extension.'),
}

/** The fields that set the format of an answer. */
export type FormFields = z.output<z.ZodObject<typeof formFields>> & {
  readonly response_format?: ResponseFormat | null | undefined
}
export type RequestTool = z.output<typeof toolSchema>
export type ToolChoice = z.output<typeof toolChoiceSchema>
export type ResponseFormat = z.output<typeof responseFormatSchema>
