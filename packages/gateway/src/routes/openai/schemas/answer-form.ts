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
    parameters: jsonObject.nullish().describe('A JSON schema of an object; left out: no parameters.'),
    strict: z.boolean().nullish().describe('Forced calls follow the schema either way.'),
  }),
  cache_control: ignored('A mark for prompt caches of other APIs.'),
})

export const toolChoiceSchema = z.union([
  z.enum(['none', 'auto', 'required', 'any']).describe('any: Mistral’s word for required.'),
  z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: functionName }) }),
])

export const responseFormatSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }).describe('Any JSON object.'),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: functionName,
      description: text.nullish(),
      schema: jsonObject,
      strict: z.boolean().nullish().describe('Answers follow the schema either way.'),
    }),
  }),
])

export type RequestTool = z.output<typeof toolSchema>
export type ToolChoice = z.output<typeof toolChoiceSchema>
export type ResponseFormat = z.output<typeof responseFormatSchema>
