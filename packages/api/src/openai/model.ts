import { z } from 'zod'

/** What stricter clients of other APIs want to find of a model (Mistral), then what only a loaded one can say. */
const capabilitiesSchema = z.object({
  completion_chat: z.boolean(),
  completion_fim: z.boolean(),
  function_calling: z.boolean(),
  fine_tuning: z.boolean(),
  vision: z.boolean(),
  classification: z.boolean(),
  grammar: z.boolean().optional().describe('Known once the model is loaded, as are the next ones.'),
  logprobs: z.boolean().optional(),
  prompt_logprobs: z.boolean().optional(),
  embeddings: z.boolean().optional(),
})

/** One model of `GET /v1/models`: OpenAI's fields, those of vLLM and Mistral, then ours. */
export const modelSchema = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int().describe('When this server started, in seconds since 1970.'),
  owned_by: z.string(),
  root: z.string().describe('As at vLLM: the id again.'),
  parent: z.null(),
  permission: z.array(z.never()),
  max_model_len: z.int().optional().describe('The same as context_length, as vLLM names it.'),
  type: z.literal('base').describe('As at Mistral.'),
  name: z.string(),
  description: z.string().nullable(),
  max_context_length: z.int().optional().describe('The same as context_length, as Mistral names it.'),
  deprecation: z.null(),
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
  capabilities: capabilitiesSchema,
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
