import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { listedModelSchema, modelDetailsSchema, servedModelFields } from '../listed-model.ts'
import { ignored } from '../openai/primitives.ts'
import { modelFields } from './options.ts'

export const ollamaTagsSchema = z.object({ models: z.array(listedModelSchema) })

export const ollamaPsSchema = z.object({
  models: z.array(
    z.object({
      ...servedModelFields,
      size_vram: z.number().describe('The same as size.'),
      context_length: z.int().optional(),
      expires_at: z.iso.datetime().describe('A time that never comes: the configuration decides.'),
    }),
  ),
})

/** Request body of `POST /api/show`. */
export const ollamaShowRequestSchema = z.object({
  ...modelFields,
  verbose: ignored('Whether long lists are shown.'),
  system: ignored('Ollama’s replacement of the system prompt.'),
  template: ignored('Ollama’s replacement of the template.'),
  options: ignored('Ollama’s replacement of the parameters.'),
})

export const ollamaShowResponseSchema = z.object({
  license: z.string(),
  modelfile: z.string().describe('The model’s defaults, as Ollama would write them.'),
  parameters: z.string().describe('Sampling where a request says nothing, one parameter a line.'),
  template: z.string().describe('The model’s own chat template, in Jinja, once it is loaded.'),
  system: z.string(),
  details: modelDetailsSchema,
  messages: z.array(z.never()),
  model_info: z
    .record(z.string(), z.union([z.string(), z.number()]))
    .describe(
      '`general.architecture` is the engine; `ENGINE.context_length` is there once the model is loaded.',
    ),
  capabilities: z.array(z.enum(['completion', 'tools', 'thinking'])),
  modified_at: z.iso.datetime(),
})

export const ollamaVersionSchema = z.object({
  version: z.string().describe('The version of Ollama whose API this is.'),
  petals_chat: z.string().describe('The version of this server.'),
})

/** Request body of the calls that would change which models there are. */
export const ollamaManageRequestSchema = z.object({
  ...modelFields,
  insecure: ignored('Whether the registry’s certificate may be wrong.'),
  username: ignored('The user at the registry: Ollama’s own client sends it, empty.'),
  password: ignored('The same.'),
  stream: z.boolean().nullish().describe('Default true: lines of JSON.'),
})

export const ollamaStatusSchema = z.object({ status: z.literal('success') })

export type OllamaModel = Immutable<z.output<typeof listedModelSchema>>
export type OllamaTags = Immutable<z.output<typeof ollamaTagsSchema>>
export type OllamaPs = Immutable<z.output<typeof ollamaPsSchema>>
export type OllamaShow = Immutable<z.output<typeof ollamaShowResponseSchema>>
export type OllamaVersion = Immutable<z.output<typeof ollamaVersionSchema>>
export type OllamaStatus = Immutable<z.output<typeof ollamaStatusSchema>>
