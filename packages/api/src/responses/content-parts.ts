import { z } from 'zod'
import { ignored, text } from '../openai/primitives.ts'

const refusesPart = (issue: { readonly input?: unknown }): string => {
  const type = (issue.input as { readonly type?: unknown } | null | undefined)?.type
  return (
    `Content parts of type ${JSON.stringify(type)?.slice(0, 100) ?? 'undefined'} are not supported: models of this server ` +
    'read only text. Send parts of type "input_text".'
  )
}

const textPart = z.strictObject({
  type: z.enum(['input_text', 'output_text', 'text']),
  text,
  annotations: ignored('Sources.'),
  logprobs: ignored('Log probabilities of an earlier answer.'),
  prompt_cache_breakpoint: ignored('A marker for OpenAI’s prompt cache.'),
  parsed: ignored('The answer, parsed by OpenAI’s clients.'),
})
const refusalPart = z.strictObject({ type: z.literal('refusal'), refusal: text })

/** The content of a message or of a tool's result: a text, or parts of text. */
export const contentSchema = z
  .union([text, z.array(z.discriminatedUnion('type', [textPart, refusalPart], { error: refusesPart }))])
  .describe('A text, or parts of text, which become lines. Images, audio and files are refused.')

export type InputContent = z.output<typeof contentSchema>
