import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { json, type Operation } from '../operation.ts'
import { toolSchema } from './answer-form.ts'
import { messageSchema } from './messages.ts'
import { openaiOperation } from './openai-operation.ts'
import { jsonObject, text, tokenId } from './primitives.ts'
import { propsSchema } from './props.ts'
import { modelField } from './sampling-fields.ts'

const model = modelField

/** Request body of `POST /v1/tokenize`: a text, or a dialogue as chat completions would render it. */
export const tokenizeRequestSchema = z.object({
  model,
  prompt: text.nullish().describe('The text to encode.'),
  content: text.nullish().describe('Another name for prompt.'),
  messages: z
    .array(messageSchema)
    .min(1)
    .max(10_000)
    .nullish()
    .describe('A dialogue, rendered by the model’s template.'),
  tools: z.array(toolSchema).max(128).nullish(),
  add_special_tokens: z
    .boolean()
    .nullish()
    .meta({ default: true })
    .describe(
      'Let the tokenizer add BOS and similar tokens. Default: true for a text; for messages, as the template says.',
    ),
  add_special: z
    .boolean()
    .nullish()
    .describe('llama-server’s name for add_special_tokens, which takes precedence.'),
  add_generation_prompt: z
    .boolean()
    .nullish()
    .describe('Open a turn of the assistant. If omitted: true, unless the last message is continued.'),
  continue_final_message: z
    .boolean()
    .nullish()
    .describe('Leave the last message open. If omitted: as in chat completions.'),
  chat_template_kwargs: jsonObject.nullish().describe('Additional variables for the chat template.'),
  return_token_strs: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Also return the text of every token. Default false.'),
})

export const tokenizeResponseSchema = z.object({
  count: z.int(),
  max_model_len: z
    .int()
    .optional()
    .describe(
      'Size of the model’s context in tokens; left out where another server runs the model and does not say.',
    ),
  tokens: z
    .array(z.int())
    .describe(
      'Empty where another server runs the model and has no tokenizer to ask: the count is then an estimate.',
    ),
  token_strs: z.array(z.string()).nullish(),
})

/** Request body of `POST /v1/detokenize`. */
export const detokenizeRequestSchema = z.object({
  model,
  tokens: z.array(tokenId).max(1_000_000),
  skip_special_tokens: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Omit control tokens. Default false.'),
})

export const detokenizeResponseSchema = z.object({
  prompt: z.string().describe('The text.'),
  content: z.string().describe('The same text, under the other name that tokenize accepts.'),
})

const tokenText = z.string().nullable().describe('Null: the model has none.')

/** Body of `GET /tokenizer_info`, with the names of a tokenizer_config.json, as in vLLM. */
export const tokenizerInfoSchema = z.object({
  model: z.string(),
  tokenizer_class: z
    .literal('PetalsChat')
    .describe('The tokenizer runs here: see /tokenize and /detokenize.'),
  model_max_length: z.int().describe('Size of the model’s context in tokens.'),
  vocab_size: z.int(),
  bos_token: tokenText,
  eos_token: tokenText,
  pad_token: tokenText,
  chat_template: z.string().nullable().describe('In Jinja. Null: the model’s files have none.'),
})

export type TokenizerInfo = z.output<typeof tokenizerInfoSchema>
export type TokenizeRequest = z.output<typeof tokenizeRequestSchema>
/** A request as clients write it: optional fields may be omitted or null. */
export type TokenizeRequestBody = Immutable<z.input<typeof tokenizeRequestSchema>>
export type TokenizeResponse = z.output<typeof tokenizeResponseSchema>
export type DetokenizeRequest = z.output<typeof detokenizeRequestSchema>
export type DetokenizeResponse = z.output<typeof detokenizeResponseSchema>

const errorStatuses = [400, 403, 404, 429, 503]

const modelParameter = {
  name: 'model',
  in: 'query',
  schema: z.string(),
  description: 'Id or alias of a model. If omitted: the first one.',
} as const

const tokenize = (id: string, path: string, summary: string): Operation =>
  openaiOperation({
    id,
    method: 'post',
    path,
    summary,
    request: json(tokenizeRequestSchema),
    example: { prompt: 'Hello, world!', return_token_strs: true },
    responses: { 200: { description: 'Token ids.', content: json(tokenizeResponseSchema) } },
    errorStatuses,
  })

const detokenize = (id: string, path: string, summary: string): Operation =>
  openaiOperation({
    id,
    method: 'post',
    path,
    summary,
    request: json(detokenizeRequestSchema),
    example: { tokens: [1, 2, 3] },
    responses: { 200: { description: 'The text.', content: json(detokenizeResponseSchema) } },
    errorStatuses,
  })

const ofOthers = 'The same, where llama-server and vLLM have it'

export const tokenizeOperations: readonly Operation[] = [
  tokenize('tokenize', '/v1/tokenize', 'Turn a text or a dialogue into tokens'),
  detokenize('detokenize', '/v1/detokenize', 'Turn tokens into text'),
  tokenize('tokenizeAtRoot', '/tokenize', ofOthers),
  detokenize('detokenizeAtRoot', '/detokenize', ofOthers),
  openaiOperation({
    id: 'tokenizerInfo',
    method: 'get',
    path: '/tokenizer_info',
    summary: 'Describe the tokenizer of a model, as vLLM does',
    parameters: [modelParameter],
    responses: { 200: { description: 'The tokenizer.', content: json(tokenizerInfoSchema) } },
    errorStatuses,
  }),
  openaiOperation({
    id: 'props',
    scope: 'models',
    method: 'get',
    path: '/props',
    summary: 'Describe the server and a model, as llama-server does',
    parameters: [modelParameter],
    responses: { 200: { description: 'The properties.', content: json(propsSchema) } },
    errorStatuses: [404],
  }),
]
