import { z } from 'zod'
import { ignored, text } from './primitives.ts'

const refusesPart = (issue: { readonly input?: unknown }): string =>
  `Content parts of type ${JSON.stringify(issue.input)?.slice(0, 100) ?? 'undefined'} can't be read: models of this server take text only. ` +
  `Send parts of type "text".`

const textPart = z.object({ type: z.literal('text', { error: refusesPart }), text })

const content = z
  .union([text, z.array(textPart).min(1)])
  .describe(
    'A string, or a list of text parts (joined without a separator). Images, audio and files are refused.',
  )

const name = z.string().max(64).nullish().describe('Who speaks; up to the model’s chat template.')

export const toolCallSchema = z.object({
  id: z.string().min(1).max(256),
  type: z.literal('function'),
  function: z.object({
    name: z.string().min(1).max(64),
    arguments: text.describe('JSON text, as the model wrote it: check it before use.'),
  }),
})

const systemMessage = z.object({ role: z.literal('system'), content, name })
const developerMessage = z
  .object({ role: z.literal('developer'), content, name })
  .describe('The same as system.')
const userMessage = z.object({ role: z.literal('user'), content, name })
const assistantMessage = z.object({
  role: z.literal('assistant'),
  content: content.nullish().describe('May be left out where there are tool_calls.'),
  name,
  tool_calls: z.array(toolCallSchema).max(128).nullish(),
  prefix: z
    .boolean()
    .nullish()
    .describe('On the last message: go on with this answer (as `continue_final_message`). Extension.'),
  reasoning_content: ignored('What the model thought before; templates leave it out.'),
  refusal: ignored('A refusal of OpenAI’s models.'),
})
const toolMessage = z.object({
  role: z.literal('tool'),
  content,
  tool_call_id: z.string().min(1).max(256),
  name,
})

export const messageSchema = z.discriminatedUnion('role', [
  systemMessage,
  developerMessage,
  userMessage,
  assistantMessage,
  toolMessage,
])

export type RequestMessage = z.output<typeof messageSchema>
export type MessageContent = z.output<typeof content>
export type ResponseToolCall = z.output<typeof toolCallSchema>
