import type { z } from 'zod'
import { type EventContent, modelErrorStatuses, type Operation, type OperationTag } from '../operation.ts'
import { errorSchema } from '../error.ts'

export const openaiTag: OperationTag = {
  name: 'OpenAI-compatible API',
  description:
    'The API that clients of OpenAI know: set their base URL to this server’s address with /v1, and any API key. ' +
    'Fields marked “Extension” come from this server or from other servers. Fields without effect on the answer are ' +
    'ignored; fields that would change it and can’t be honoured, and unknown fields, are refused by name.',
}

type Given = Omit<Operation, 'tag' | 'error' | 'errorStatuses' | 'scope'> &
  Partial<Pick<Operation, 'errorStatuses' | 'scope' | 'tag'>>

/** An operation of /v1, with OpenAI's error body. */
export const openaiOperation = (operation: Given): Operation => ({
  tag: openaiTag.name,
  scope: 'openai',
  error: errorSchema,
  errorStatuses: modelErrorStatuses,
  ...operation,
})

/** The events of a streamed answer. */
export const answerEvents = (event: z.ZodType, object: string): EventContent => ({
  event,
  text:
    `Events \`data: {"object": "${object}", …}\`, then \`data: [DONE]\`. A failure is an event ` +
    '`data: {"error": …}` without [DONE] after it. Comments (`: ping`) may come in between.',
})
