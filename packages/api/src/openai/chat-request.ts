import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { formFields, responseFormatSchema, toolChoiceSchema, toolSchema } from './answer-form.ts'
import { messageSchema } from './messages.ts'
import { jsonObject } from './primitives.ts'
import { modelField, samplingFields } from './sampling-fields.ts'

/** Tokens of an answer; none would be no answer. */
const answerLimit = z
  .int()
  .min(-2)
  .refine((tokens) => tokens !== 0, 'The answer needs at least 1 token; -1 lets it go on until it ends.')
  .nullish()

/** Body of `POST /v1/chat/completions`. */
export const chatRequestSchema = z.object({
  model: modelField,
  messages: z.array(messageSchema).min(1).max(10_000).describe('The dialogue so far, oldest first.'),
  max_completion_tokens: answerLimit
    .meta({ default: 2048 })
    .describe(
      'Tokens of the answer at most, within what the context has room for; -1: until the model ends or the context is ' +
        'full. Default: the model’s, else 2048.',
    ),
  max_tokens: answerLimit.describe('Older name of max_completion_tokens, which wins.'),
  max_new_tokens: answerLimit.describe(
    'Name of it at TGI and transformers; both of OpenAI’s win. Extension.',
  ),
  n_predict: answerLimit.describe('llama-server’s name of it; the others win. Extension.'),
  ...samplingFields,
  logprobs: z
    .union([z.boolean(), z.int().min(0).max(20)])
    .nullish()
    .meta({ default: false })
    .describe(
      'Give the log probability of every token of the answer. A number, as on completions: with this many of ' +
        '`top_logprobs`; 0 is false. Default false.',
    ),
  top_logprobs: z
    .int()
    .min(0)
    .max(20)
    .nullish()
    .meta({ default: 0 })
    .describe('Give this many most probable tokens at every position; needs `logprobs: true`. Default 0.'),
  response_format: responseFormatSchema
    .nullish()
    .describe('The form of the answer, kept by grammar. Needs a model with `capabilities.grammar`.'),
  ...formFields,
  tools: z.array(toolSchema).max(128).nullish().describe('Functions that the model may call.'),
  tool_choice: toolChoiceSchema
    .nullish()
    .meta({ default: 'auto' })
    .describe(
      'Whether and which function is called; `required` and a name are kept by grammar. Default auto.',
    ),
  parallel_tool_calls: z
    .boolean()
    .nullish()
    .describe(
      'False: one call an answer at most. Left out: any number with tool_choice auto, one where a call is forced.',
    ),
  continue_final_message: z
    .boolean()
    .nullish()
    .describe(
      'Go on with the last message, an unfinished one of the assistant. The answer is the new text only. ' +
        'Left out: true where the last message is one of the assistant with text. False begins a new turn. Extension.',
    ),
  add_generation_prompt: z
    .boolean()
    .nullish()
    .describe(
      'Open a turn of the assistant after the messages. Left out: true, unless the last message is continued. Extension.',
    ),
  reasoning_format: z
    .enum(['none', 'auto', 'deepseek'])
    .nullish()
    .meta({ default: 'auto' })
    .describe(
      'Default auto: `<think>…</think>` at the start of an answer goes to `reasoning_content`; none: it stays in ' +
        '`content`; deepseek: the same as auto. Extension.',
    ),
  chat_template_kwargs: jsonObject
    .nullish()
    .describe('Further variables of the model’s chat template, as `{"enable_thinking": false}`. Extension.'),
  reasoning_effort: z
    .string()
    .max(64)
    .nullish()
    .describe('Handed to the chat template as a variable; without effect on models that don’t know it.'),
})

export type ChatRequest = z.output<typeof chatRequestSchema>
/** A request as clients write it: every field may be left out or null. */
export type ChatRequestBody = Immutable<z.input<typeof chatRequestSchema>>
