import { z } from 'zod'

/** The state of a model, as both lists of models report it. */
export const modelStateFields = {
  state: z.enum(['idle', 'loading', 'ready', 'degraded', 'unavailable']),
  detail: z.string().optional().describe('What is wrong and how to fix it.'),
  progress: z
    .object({
      phase: z.string(),
      label: z.string(),
      done: z.number(),
      total: z.number().optional(),
      unit: z.string(),
    })
    .optional()
    .describe('While the model loads.'),
}
