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
      .describe('A JSON schema of an object; left out, or without properties: no parameters.'),
    strict: z
      .boolean()
      .nullish()
      .describe(
        'Forced calls follow the schema either way; true: what a grammar can’t keep to is refused, not left out.',
      ),
  }),
  cache_control: ignored('A mark for prompt caches of other APIs.'),
})

const namedFunction = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({ name: functionName }),
})
const plainlyNamed = z.strictObject({ type: z.literal('function'), name: functionName })

export const toolChoiceSchema = z
  .union([
    z.enum(['none', 'auto', 'required', 'any']),
    namedFunction,
    plainlyNamed,
    z.strictObject({ type: z.literal('tool'), name: functionName }),
    z.strictObject({ type: z.enum(['auto', 'none', 'required', 'any']) }),
    z.strictObject({
      type: z.literal('allowed_tools'),
      allowed_tools: z.strictObject({
        mode: z.enum(['auto', 'required']),
        tools: z
          .array(z.union([namedFunction, plainlyNamed]))
          .min(1)
          .max(128),
      }),
    }),
  ])
  .describe('`any` is Mistral’s word for `required`; a function may be named as other APIs do.')

const schemaField = jsonObject.nullish().describe('A JSON schema, as llama-server has it.')
const valueField = jsonObject.nullish().describe('The same, as TGI has it.')
const strict = z
  .boolean()
  .nullish()
  .describe(
    'Answers follow the schema either way; true: what a grammar can’t keep to is refused, not left out.',
  )

export const responseFormatSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z
    .strictObject({ type: z.literal('json_object'), schema: schemaField, value: valueField })
    .describe('Any JSON object, or one of a schema.'),
  z
    .strictObject({ type: z.literal('json'), schema: schemaField, value: valueField })
    .describe('The same, as TGI has it.'),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z
      .strictObject({ name: functionName.nullish(), description: text.nullish(), schema: jsonObject, strict })
      .nullish(),
    schema: schemaField,
  }),
  z.strictObject({ type: z.literal('regex'), value: z.string().max(4000) }).describe('As TGI has it.'),
  z
    .strictObject({ type: z.literal('grammar'), grammar: z.string().max(262_144) })
    .describe('GBNF, as Fireworks has it.'),
])

const jsonSchema = z.union([jsonObject, z.string().max(1_000_000)]).nullish()
const regex = z.string().max(4000).nullish()
const choice = z.array(z.string().min(1).max(10_000)).min(1).max(2000).nullish()
const gbnf = z.string().max(262_144).nullish()

/** What llama-server and vLLM have for `response_format`. One of them at most. Extensions. */
export const formFields = {
  json_schema: jsonSchema.describe('A JSON schema of the answer (llama-server). Extension.'),
  grammar: gbnf.describe('The answer’s grammar in GBNF (llama-server). Extension.'),
  guided_json: jsonSchema.describe('A JSON schema of the answer (vLLM). Extension.'),
  guided_regex: regex.describe('A regular expression that matches the whole answer (vLLM). Extension.'),
  guided_choice: choice.describe('Texts of which the answer is one (vLLM). Extension.'),
  guided_grammar: gbnf.describe('The answer’s grammar in GBNF (vLLM). Extension.'),
  structured_outputs: z
    .strictObject({
      json: jsonSchema,
      regex,
      choice,
      grammar: gbnf,
      json_object: z.boolean().nullish(),
    })
    .nullish()
    .describe('One of these, as vLLM has it. Extension.'),
}

/** The fields that ask for a form. */
export type FormFields = z.output<z.ZodObject<typeof formFields>> & {
  readonly response_format?: ResponseFormat | null | undefined
}
export type RequestTool = z.output<typeof toolSchema>
export type ToolChoice = z.output<typeof toolChoiceSchema>
export type ResponseFormat = z.output<typeof responseFormatSchema>
