import { z } from 'zod'
import { ignored, onlyNull, text } from './primitives.ts'

const refusesPart = (issue: { readonly input?: unknown }): string => {
  const type = (issue.input as { readonly type?: unknown } | null | undefined)?.type
  return (
    `Content parts of type ${JSON.stringify(type)?.slice(0, 100) ?? 'undefined'} can't be read: models of this server take text only. ` +
    `Send parts of type "text".`
  )
}

/** What clients of other APIs leave on a part of a message, or on the whole of it. */
const partExtras = { cache_control: ignored('A mark for prompt caches of other APIs.') }

const textPart = z.strictObject({ type: z.literal('text'), text, ...partExtras })
const inputTextPart = z
  .strictObject({
    type: z.enum(['input_text', 'output_text']),
    text,
    annotations: ignored('Sources.'),
    ...partExtras,
  })
  .transform((part) => ({ type: 'text' as const, text: part.text }))
const refusalPart = z
  .strictObject({ type: z.literal('refusal'), refusal: text, ...partExtras })
  .transform(({ refusal }) => ({ type: 'text' as const, text: refusal }))

const userPart = z.discriminatedUnion('type', [textPart, inputTextPart], { error: refusesPart })
const assistantPart = z.discriminatedUnion('type', [textPart, inputTextPart, refusalPart], {
  error: refusesPart,
})

const textOnly =
  'A string, or a list of text parts (joined without a separator). Images, audio and files are refused.'
const content = z.union([text, z.array(userPart).min(1)]).describe(textOnly)
const answerContent = z
  .union([text, z.array(assistantPart).min(1)])
  .describe(`${textOnly} Parts of type refusal count as text.`)

const name = z.string().max(64).nullish().describe('Who speaks; up to the model’s chat template.')

export const toolCallSchema = z.object({
  id: z.string().min(1).max(256),
  type: z.literal('function'),
  function: z.object({
    name: z.string().min(1).max(64),
    arguments: text.describe('JSON text, as the model wrote it: check it before use.'),
  }),
})

/** A call that comes back, with what clients made of the events that it came in. */
const sentToolCall = z.strictObject({
  ...toolCallSchema.shape,
  function: z.strictObject({
    ...toolCallSchema.shape.function.shape,
    parsed_arguments: ignored('The same, parsed.'),
  }),
  index: ignored('Its number in a streamed answer.'),
  extra_content: ignored('Signatures of other APIs.'),
  provider_specific_fields: ignored('Fields of other APIs.'),
})

/** Empty fields that clients send with messages of every role. */
const messageExtras = {
  ...partExtras,
  id: ignored('The client’s id of the message.'),
  provider_specific_fields: ignored('Fields of other APIs.'),
}
const noCalls = { tool_calls: onlyNull, function_call: onlyNull, tool_call_id: onlyNull }

const systemMessage = z.strictObject({
  role: z.literal('system'),
  content,
  name,
  ...noCalls,
  ...messageExtras,
})
const developerMessage = z
  .strictObject({ role: z.literal('developer'), content, name, ...noCalls, ...messageExtras })
  .describe('The same as system.')
const userMessage = z.strictObject({ role: z.literal('user'), content, name, ...noCalls, ...messageExtras })
const assistantMessage = z.strictObject({
  role: z.literal('assistant'),
  content: answerContent.nullish().describe('May be left out where there are tool_calls.'),
  name,
  tool_calls: z.array(sentToolCall).max(128).nullish(),
  prefix: z
    .boolean()
    .nullish()
    .describe('On the last message: go on with this answer (as `continue_final_message`). Extension.'),
  reasoning_content: ignored('What the model thought before; templates leave it out.'),
  reasoning: ignored('The same, as OpenRouter and newer vLLM name it.'),
  reasoning_details: ignored('The same, as OpenRouter splits it.'),
  thinking_blocks: ignored('The same, as LiteLLM splits it.'),
  refusal: ignored('A refusal of OpenAI’s models.'),
  annotations: ignored('Sources of an answer.'),
  audio: ignored('The spoken answer that OpenAI keeps.'),
  parsed: ignored('The answer as OpenAI’s clients parsed it.'),
  function_call: onlyNull,
  tool_call_id: onlyNull,
  ...messageExtras,
})
const toolMessage = z.strictObject({
  role: z.literal('tool'),
  content,
  tool_call_id: z.string().min(1).max(256),
  name,
  tool_calls: onlyNull,
  function_call: onlyNull,
  ...messageExtras,
  status: ignored('LangChain’s mark of a call that failed.'),
  artifact: ignored('What LangChain keeps beside the text.'),
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
