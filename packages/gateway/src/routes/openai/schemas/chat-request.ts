import { z } from 'zod'
import { responseFormatSchema, toolChoiceSchema, toolSchema } from './answer-form.ts'
import { messageSchema } from './messages.ts'
import { ignored, jsonObject } from './primitives.ts'
import { ignoredFields, modelField, samplingFields } from './sampling-fields.ts'

/** Body of `POST /v1/chat/completions`. */
export const chatRequestSchema = z.object({
  model: modelField,
  messages: z.array(messageSchema).min(1).max(10_000).describe('The dialogue so far, oldest first.'),
  max_completion_tokens: z
    .int()
    .min(1)
    .nullish()
    .describe('Tokens of the answer at most. Default: the model’s, else what the context has room for.'),
  max_tokens: z.int().min(1).nullish().describe('Older name of max_completion_tokens, which wins.'),
  ...samplingFields,
  logprobs: z.boolean().nullish().describe('Give the log probability of every token of the answer.'),
  top_logprobs: z
    .int()
    .min(0)
    .max(20)
    .nullish()
    .describe('Give this many most probable tokens at every position; needs `logprobs: true`.'),
  response_format: responseFormatSchema
    .nullish()
    .describe('The form of the answer, kept by grammar. Needs a model with `capabilities.grammar`.'),
  tools: z.array(toolSchema).max(128).nullish().describe('Functions that the model may call.'),
  tool_choice: toolChoiceSchema
    .nullish()
    .describe(
      'Whether and which function is called; `required` and a name are kept by grammar. Default: auto with tools.',
    ),
  parallel_tool_calls: z.boolean().nullish().describe('False: one call an answer at most. Default true.'),
  continue_final_message: z
    .boolean()
    .nullish()
    .describe(
      'Go on with the last message, an unfinished one of the assistant. The answer is the new text only. ' +
        'Default: true where the last message is one of the assistant with text. False begins a new turn. Extension.',
    ),
  add_generation_prompt: z
    .boolean()
    .nullish()
    .describe(
      'Open a turn of the assistant after the messages. Default true, unless the last message is continued. Extension.',
    ),
  reasoning_format: z
    .enum(['none', 'auto', 'deepseek'])
    .nullish()
    .describe(
      'auto (default): `<think>…</think>` at the start of an answer goes to `reasoning_content`; none: it stays in ' +
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
  ...ignoredFields,
  prediction: ignored('A guess of the answer, which would only make it faster.'),
})

export type ChatRequest = z.output<typeof chatRequestSchema>
