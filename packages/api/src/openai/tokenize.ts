import { z } from 'zod'
import { toolSchema } from './answer-form.ts'
import { messageSchema } from './messages.ts'
import { jsonObject, text, tokenId } from './primitives.ts'
import { modelField } from './sampling-fields.ts'

const model = modelField

/** Body of `POST /v1/tokenize`: a text, or a dialogue as chat completions would render it. */
export const tokenizeRequestSchema = z.object({
  model,
  prompt: text.nullish().describe('The text to encode.'),
  content: text.nullish().describe('Another name of prompt.'),
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
      'Let the tokenizer add BOS and its like. Default: true for a text; for messages as the template wants it.',
    ),
  add_special: z.boolean().nullish().describe('llama-server’s name of add_special_tokens, which wins.'),
  add_generation_prompt: z
    .boolean()
    .nullish()
    .describe('Open a turn of the assistant. Left out: true, unless the last message is continued.'),
  continue_final_message: z
    .boolean()
    .nullish()
    .describe('Leave the last message open. Left out: as in chat completions.'),
  chat_template_kwargs: jsonObject.nullish().describe('Further variables of the chat template.'),
  return_token_strs: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Give the text of every token too. Default false.'),
})

export const tokenizeResponseSchema = z.object({
  count: z.int(),
  max_model_len: z.int().describe('Tokens that the model’s context holds.'),
  tokens: z.array(z.int()),
  token_strs: z.array(z.string()).nullish(),
})

/** Body of `POST /v1/detokenize`. */
export const detokenizeRequestSchema = z.object({
  model,
  tokens: z.array(tokenId).max(1_000_000),
  skip_special_tokens: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Leave control tokens out. Default false.'),
})

export const detokenizeResponseSchema = z.object({
  prompt: z.string().describe('The text.'),
  content: z.string().describe('The same text, under the name that tokenize takes too.'),
})

export type TokenizeRequest = z.output<typeof tokenizeRequestSchema>
export type TokenizeResponse = z.output<typeof tokenizeResponseSchema>
export type DetokenizeRequest = z.output<typeof detokenizeRequestSchema>
export type DetokenizeResponse = z.output<typeof detokenizeResponseSchema>
