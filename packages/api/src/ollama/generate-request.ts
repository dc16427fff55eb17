import { z } from 'zod'
import { text, tokenId } from '../openai/primitives.ts'
import { noImages } from './chat-request.ts'
import {
  formatField,
  keepAliveField,
  logprobFields,
  modelFields,
  optionsField,
  streamField,
  thinkField,
} from './options.ts'

/** Request body of `POST /api/generate`. */
export const ollamaGenerateRequestSchema = z.object({
  ...modelFields,
  prompt: text
    .nullish()
    .describe('The user’s message; with `raw`, the text to continue. Empty: the model is loaded.'),
  system: text.nullish().describe('The system prompt.'),
  context: z
    .array(tokenId)
    .max(1_000_000)
    .nullish()
    .describe('`context` of an earlier answer, whose dialogue goes on. Use /api/chat in new programs.'),
  raw: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('True: the prompt is continued as it is, without the model’s template.'),
  images: noImages,
  format: formatField,
  options: optionsField,
  think: thinkField,
  stream: streamField,
  keep_alive: keepAliveField,
  ...logprobFields,
})

export type OllamaGenerateRequest = z.output<typeof ollamaGenerateRequestSchema>
