import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { modelStateFields } from '../model-state.ts'
import { json, type Operation } from '../operation.ts'
import { legacyErrorSchema, legacyTag } from './generate.ts'

const dialogueSchema = z.object({
  sepToken: z.string(),
  stopToken: z.string(),
  extraStopSequences: z.array(z.string()),
  stopAtStopToken: z.boolean(),
  userPrefix: z.string(),
  assistantPrefix: z.string(),
  systemPrompt: z.string().optional(),
})

const generationSchema = z.object({
  do_sample: z.union([z.boolean(), z.literal(0), z.literal(1)]).optional(),
  temperature: z.number().optional(),
  top_k: z.int().optional(),
  top_p: z.number().optional(),
  min_p: z.number().optional(),
  repetition_penalty: z.number().optional(),
  frequency_penalty: z.number().optional(),
  max_new_tokens: z.int().optional(),
})

const modelSchema = z.object({
  id: z.string(),
  aliases: z.array(z.string()),
  engine: z.string(),
  swarm: z.enum(['public', 'private']).optional(),
  family: z.string().optional(),
  displayName: z.string().describe('The id where the configuration gives no name.'),
  modelCard: z.string().optional(),
  license: z.string().optional().describe('An address, or a name such as Apache-2.0.'),
  publicApi: z.boolean(),
  maxSessionLength: z.int().optional(),
  contextLength: z.int().optional().describe('Known once the model is loaded.'),
  memoryBytes: z.number().optional().describe('Known once the model is loaded, where its engine can tell.'),
  dialogue: dialogueSchema.optional(),
  generation: generationSchema.describe('What holds where a request says nothing.'),
  state: z.object(modelStateFields),
})

/** Body of `GET /api/v1/models`: what the page needs to offer the models, with the names of the config file. */
export const legacyModelsSchema = z.object({
  default: z.string().nullable().describe('Null: this server has no model.'),
  families: z.array(z.object({ name: z.string(), models: z.array(z.string()) })),
  models: z.array(modelSchema),
})

export type LegacyModelsBody = Immutable<z.output<typeof legacyModelsSchema>>
export type LegacyModelBody = LegacyModelsBody['models'][number]

export const legacyModelsOperation: Operation = {
  tag: legacyTag.name,
  id: 'legacyModels',
  scope: 'models',
  method: 'get',
  path: '/api/v1/models',
  summary: 'Models and their families, with the names of the config file',
  responses: { 200: { description: 'The models.', content: json(legacyModelsSchema) } },
  error: legacyErrorSchema,
  errorStatuses: [],
}
