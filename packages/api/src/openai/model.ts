import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { listedModelSchema } from '../listed-model.ts'
import { modelStateFields } from '../model-state.ts'
import { json, type Operation } from '../operation.ts'
import { openaiOperation } from './openai-operation.ts'

/** Mistral's fields, then those that only a loaded model can report. Mistral's clients need none of them. */
const capabilitiesSchema = z.object({
  completion_chat: z
    .boolean()
    .optional()
    .describe(
      'Left out, like the other optional fields, for a model of another server: only that one knows.',
    ),
  completion_fim: z.boolean(),
  function_calling: z.boolean().optional(),
  fine_tuning: z.boolean(),
  vision: z.boolean(),
  classification: z.boolean(),
  grammar: z.boolean().optional().describe('Known once the model is loaded, like the following fields.'),
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
  root: z.string().describe('As in vLLM: the id again.'),
  parent: z.null(),
  permission: z.array(z.never()),
  max_model_len: z.int().optional().describe('The same as context_length, as vLLM names it.'),
  type: z.literal('base').describe('As in Mistral.'),
  name: z.string(),
  description: z.string().nullable(),
  max_context_length: z.int().optional().describe('The same as context_length, as Mistral names it.'),
  deprecation: z.null(),
  aliases: z.array(z.string()).describe('Other names for `model` in requests.'),
  engine: z
    .string()
    .describe('`llama`: this machine; `petals`: a swarm of servers; `upstream`: another server.'),
  swarm: z
    .enum(['public', 'private'])
    .optional()
    .describe(
      'Only for models of a swarm, whose servers can read prompts and answers: public servers of strangers, or those of a private swarm.',
    ),
  state: modelStateFields.state,
  state_detail: modelStateFields.detail,
  context_length: z
    .int()
    .optional()
    .describe('Maximum number of tokens of prompt and answer together. Known once the model is loaded.'),
  capabilities: capabilitiesSchema,
  progress: modelStateFields.progress,
  public_api: z.boolean().describe('False: only the page of this server may use it.'),
  family: z.string().optional(),
  display_name: z.string().optional(),
  model_card: z.string().optional(),
  license: z.string().optional(),
})

export const modelListSchema = z.object({
  object: z.literal('list'),
  data: z.array(modelSchema),
  models: z
    .array(
      listedModelSchema.extend({
        type: z.literal('model'),
        description: z.literal(''),
        tags: z.array(z.never()),
        capabilities: z.array(z.literal('completion')),
        parameters: z.literal(''),
      }),
    )
    .describe('The same models, as llama-server and Ollama list them.'),
})

export type ModelListBody = Immutable<z.output<typeof modelListSchema>>
export type ModelObject = Immutable<z.output<typeof modelSchema>>

export const modelOperations: readonly Operation[] = [
  openaiOperation({
    id: 'listModels',
    scope: 'models',
    method: 'get',
    path: '/v1/models',
    summary: 'List the models',
    description:
      'With the header `anthropic-version`, the answer has the form of Anthropic’s Models API (`limit`, `after_id`, `before_id`).',
    responses: { 200: { description: 'The models of this server.', content: json(modelListSchema) } },
    errorStatuses: [],
  }),
  openaiOperation({
    id: 'getModel',
    scope: 'models',
    method: 'get',
    path: '/v1/models/{model}',
    summary: 'Describe a model',
    parameters: [
      {
        name: 'model',
        in: 'path',
        schema: z.string(),
        description: 'Id or alias. A `/` in it may be written as it is or as `%2F`.',
      },
    ],
    responses: { 200: { description: 'The model.', content: json(modelSchema) } },
    errorStatuses: [404],
  }),
]
