import { z } from 'zod'
import { toolSchema } from '../openai/answer-form.ts'
import { ignored, jsonObject, text } from '../openai/primitives.ts'
import {
  formatField,
  keepAliveField,
  logprobFields,
  modelFields,
  optionsField,
  streamField,
  thinkField,
} from './options.ts'

export const noImages = z
  .array(z.never({ error: () => 'Images are not supported: models of this server read only text.' }))
  .nullish()
  .describe('Must be empty: models of this server read only text.')

const sentCall = z.strictObject({
  id: z.string().min(1).max(256).nullish(),
  type: ignored('Always function.'),
  function: z.strictObject({
    name: z.string().min(1).max(64),
    arguments: jsonObject.nullish(),
    index: ignored('The number of the call.'),
    description: ignored('Words about the function.'),
  }),
})

const ollamaMessageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: text.nullish(),
  thinking: ignored('The model’s earlier thoughts; templates omit them.'),
  images: noImages,
  tool_calls: z.array(sentCall).max(128).nullish().describe('Calls of the assistant.'),
  tool_name: z
    .string()
    .max(64)
    .nullish()
    .describe('The function that a message of the role tool answers for.'),
  tool_call_id: z.string().min(1).max(256).nullish().describe('The call that it answers.'),
  name: ignored('An older name of tool_name.'),
})

const tool = z.strictObject({
  ...toolSchema.shape,
  type: z.literal('function').nullish(),
  function: z.strictObject({
    ...toolSchema.shape.function.shape,
    type: ignored('Always function.'),
  }),
})

/** Request body of `POST /api/chat`. */
export const ollamaChatRequestSchema = z.object({
  ...modelFields,
  messages: z
    .array(ollamaMessageSchema)
    .max(10_000)
    .nullish()
    .describe('The dialogue so far, oldest first. Empty: the model is loaded.'),
  tools: z.array(tool).max(128).nullish().describe('Functions that the model may call.'),
  format: formatField,
  options: optionsField,
  think: thinkField,
  stream: streamField,
  keep_alive: keepAliveField,
  ...logprobFields,
})

export type OllamaChatRequest = z.output<typeof ollamaChatRequestSchema>
export type OllamaMessage = z.output<typeof ollamaMessageSchema>
