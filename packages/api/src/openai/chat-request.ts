import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { formFields, responseFormatSchema, toolChoiceSchema, toolSchema } from './answer-form.ts'
import { messageSchema } from './messages.ts'
import { predictionSchema } from './prediction.ts'
import { jsonObject } from './primitives.ts'
import { modelField, samplingFields } from './sampling-fields.ts'

/** Tokens of an answer: at least one. */
const answerLimit = z
  .int()
  .min(-2)
  .refine((tokens) => tokens !== 0, 'The answer needs at least 1 token; -1 lets it continue until it ends.')
  .meta({ not: { const: 0 } })
  .nullish()

/** Request body of `POST /v1/chat/completions`. */
export const chatRequestSchema = z.object({
  model: modelField,
  messages: z.array(messageSchema).min(1).max(10_000).describe('The dialogue so far, oldest first.'),
  max_completion_tokens: answerLimit
    .meta({ default: 2048 })
    .describe(
      'Maximum number of tokens of the answer, limited by the free space of the context; -1: until the model ends or the ' +
        'context is full. Default: the model’s, else 2048.',
    ),
  max_tokens: answerLimit.describe('Older name for max_completion_tokens, which takes precedence.'),
  max_new_tokens: answerLimit.describe(
    'Name in TGI and transformers for max_completion_tokens; both of OpenAI’s names take precedence. Extension.',
  ),
  n_predict: answerLimit.describe(
    'llama-server’s name for max_completion_tokens; the other names take precedence. Extension.',
  ),
  ...samplingFields,
  logprobs: z
    .union([z.boolean(), z.int().min(0).max(20)])
    .nullish()
    .meta({ default: false })
    .describe(
      'Return the log probability of every token of the answer. A number, as on completions, asks for this many ' +
        '`top_logprobs`; 0 is false. Default false.',
    ),
  top_logprobs: z
    .int()
    .min(0)
    .max(20)
    .nullish()
    .meta({ default: 0 })
    .describe(
      'Return this many of the most probable tokens at every position; requires `logprobs: true`. Default 0.',
    ),
  response_format: responseFormatSchema
    .nullish()
    .describe(
      'The format of the answer, enforced by a grammar. Requires a model with `capabilities.grammar`.',
    ),
  ...formFields,
  prediction: predictionSchema.nullish(),
  tools: z.array(toolSchema).max(128).nullish().describe('Functions that the model may call.'),
  tool_choice: toolChoiceSchema
    .nullish()
    .meta({ default: 'auto' })
    .describe(
      'Whether a function is called, and which one; a grammar enforces `required` and a name. Default auto.',
    ),
  parallel_tool_calls: z
    .boolean()
    .nullish()
    .describe(
      'False: at most one call per answer. If omitted: any number with tool_choice auto, one where a call is forced.',
    ),
  continue_final_message: z
    .boolean()
    .nullish()
    .describe(
      'Continue the last message, an unfinished one of the assistant. The answer is only the new text. ' +
        'If omitted: true where the last message is one of the assistant with text. False begins a new turn. Extension.',
    ),
  add_generation_prompt: z
    .boolean()
    .nullish()
    .describe(
      'Open a turn of the assistant after the messages. If omitted: true, unless the last message is continued. Extension.',
    ),
  reasoning_format: z
    .enum(['none', 'auto', 'deepseek'])
    .nullish()
    .meta({ default: 'auto' })
    .describe(
      'Default auto: `<think>…</think>` at the start of an answer becomes `reasoning_content`; none: it stays in ' +
        '`content`; deepseek: the same as auto. Extension.',
    ),
  chat_template_kwargs: jsonObject
    .nullish()
    .describe(
      'Additional variables for the model’s chat template, such as `{"enable_thinking": false}`. Extension.',
    ),
  reasoning_effort: z
    .string()
    .max(64)
    .nullish()
    .describe(
      'Passed to the chat template as a variable; no effect on models whose template does not use it.',
    ),
})

export type ChatRequest = z.output<typeof chatRequestSchema>
/** A request as clients write it: optional fields may be omitted or null. */
export type ChatRequestBody = Immutable<z.input<typeof chatRequestSchema>>
