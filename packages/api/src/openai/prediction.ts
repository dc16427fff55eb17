import { z } from 'zod'
import { text } from './primitives.ts'

const part = z.strictObject({ type: z.literal('text'), text })

/** OpenAI's predicted outputs: text that the answer is expected to repeat for the most part. */
export const predictionSchema = z
  .strictObject({
    type: z.literal('content'),
    content: z.union([text, z.array(part)]).describe('A string, or a list of text parts.'),
  })
  .describe(
    'Text that the answer is expected to repeat for the most part, such as a file that it changes. On models of a swarm, ' +
      'it can make the answer faster; it never changes the answer.',
  )

export type Prediction = z.output<typeof predictionSchema>
