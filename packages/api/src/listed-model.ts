import { z } from 'zod'

/** What is known of a model without loading it, in the words of Ollama and llama-server. */
export const modelDetailsSchema = z.object({
  parent_model: z.literal(''),
  format: z.string().describe('`gguf`: a file of this machine; otherwise the engine: `petals`, `upstream`.'),
  family: z.string(),
  families: z.array(z.string()),
  parameter_size: z.string().describe('As the model’s name says; empty: it does not say.'),
  quantization_level: z.string().describe('As the name of its file says; empty: it does not say.'),
})

/** A loaded model of `GET /api/ps`, and the common part of a listed one. */
export const servedModelFields = {
  name: z.string().describe('The id, with `:latest` where it has no tag.'),
  model: z.string().describe('The same.'),
  size: z.number().describe('Bytes of memory that the loaded model takes here; 0: unknown, or not loaded.'),
  digest: z.string().describe('Changes with the model’s entry in the configuration.'),
  details: modelDetailsSchema,
}

/** A model of `GET /api/tags`. */
export const listedModelSchema = z.object({
  ...servedModelFields,
  modified_at: z.iso.datetime().describe('When this server started.'),
})
