import { z } from 'zod'
import { ignored, onlyNull, text } from './primitives.ts'

const refusesPart = (issue: { readonly input?: unknown }): string => {
  const type = (issue.input as { readonly type?: unknown } | null | undefined)?.type
  return (
    `Content parts of type ${JSON.stringify(type)?.slice(0, 100) ?? 'undefined'} are not supported: models of this server accept only text. ` +
    `Send parts of type "text".`
  )
}

/** Fields of other APIs that clients leave on a part of a message, or on a whole message. */
const partExtras = { cache_control: ignored('A marker for prompt caches of other APIs.') }

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

const name = z
  .string()
  .max(64)
  .nullish()
  .describe('Name of the speaker; its effect depends on the model’s chat template.')

export const toolCallSchema = z.object({
  id: z.string().min(1).max(256),
  type: z.literal('function'),
  function: z.object({
    name: z.string().min(1).max(64),
    arguments: text.describe('JSON text, as the model wrote it: validate it before use.'),
  }),
})

/** A call that a client sends back, with the fields that clients add when they assemble it from events. */
const sentToolCall = z.strictObject({
  ...toolCallSchema.shape,
  function: z.strictObject({
    ...toolCallSchema.shape.function.shape,
    parsed_arguments: ignored('The arguments, parsed.'),
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
  content: answerContent.nullish().describe('May be omitted where there are tool_calls.'),
  name,
  tool_calls: z.array(sentToolCall).max(128).nullish(),
  prefix: z
    .boolean()
    .nullish()
    .describe('On the last message: continue this answer (as `continue_final_message`). Extension.'),
  reasoning_content: z
    .unknown()
    .optional()
    .describe(
      'The model’s earlier thoughts. Accepted and ignored, since templates omit them; models of other servers get those ' +
        'before a call of a tool.',
    ),
  reasoning: ignored('The same, as in OpenRouter and newer vLLM.'),
  reasoning_details: ignored('The same in parts, as in OpenRouter.'),
  thinking_blocks: ignored('The same in parts, as in LiteLLM.'),
  refusal: ignored('A refusal by OpenAI’s models.'),
  annotations: ignored('Sources of an answer.'),
  audio: ignored('A spoken answer that OpenAI stores.'),
  parsed: ignored('The answer, parsed by OpenAI’s clients.'),
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
  status: ignored('LangChain’s marker of a failed call.'),
  artifact: ignored('LangChain’s data beside the text.'),
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
