import { z } from 'zod'

/** One model of `GET /v1/models`: OpenAI's fields, then ours. */
export const modelSchema = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int().describe('When this server started, in seconds since 1970.'),
  owned_by: z.string(),
  aliases: z.array(z.string()).describe('Further names that `model` may have in requests.'),
  engine: z.string().describe('`llama`: this machine; `petals`: a swarm of servers.'),
  swarm: z
    .enum(['public', 'private'])
    .optional()
    .describe(
      'Of models in a swarm, whose servers can read prompts and answers: strangers’, or those of a private swarm.',
    ),
  state: z.enum(['idle', 'loading', 'ready', 'degraded', 'unavailable']),
  state_detail: z.string().optional().describe('What is wrong and how to mend it.'),
  context_length: z
    .int()
    .optional()
    .describe('Tokens of prompt and answer together. Known once the model is loaded.'),
  capabilities: z
    .object({
      grammar: z.boolean(),
      logprobs: z.boolean(),
      prompt_logprobs: z.boolean(),
      embeddings: z.boolean(),
    })
    .optional()
    .describe('Known once the model is loaded.'),
  progress: z
    .object({
      phase: z.string(),
      label: z.string(),
      done: z.number(),
      total: z.number().optional(),
      unit: z.string(),
    })
    .optional()
    .describe('While it loads.'),
  public_api: z.boolean().describe('False: only the page of this server may use it.'),
  family: z.string().optional(),
  display_name: z.string().optional(),
  model_card: z.string().optional(),
  license: z.string().optional(),
})

export const modelListSchema = z.object({ object: z.literal('list'), data: z.array(modelSchema) })

export type ModelObject = z.output<typeof modelSchema>
