import { z } from 'zod'
import { samplingFields } from '../openai/sampling-fields.ts'
import { ignored, jsonObject } from '../openai/primitives.ts'

/** An option that changes answers and is not supported: only the values that switch it off are taken. */
const onlyOff = (name: string, instead: string, ...off: readonly (number | boolean)[]) =>
  z
    .literal([...off], {
      error: () => `Unsupported parameter: 'options.${name}' is not supported here. ${instead}`,
    })
    .nullish()
    .describe(`Only ${off.join(' or ')}, which is off. ${instead}`)

const sampler = 'Use temperature, top_k, top_p, min_p and the penalties.'
const hardware = (what: string) => ignored(`${what} The configuration of the server sets it.`)

/** `options` of a request: what Ollama's Modelfile calls parameters. */
export const ollamaOptionsSchema = z.strictObject({
  num_predict: z
    .int()
    .min(-2)
    .nullish()
    .describe(
      'Maximum number of tokens of the answer, limited by the free space of the context; 0, -1 and -2: until the model ends ' +
        'or the context is full. Default: the model’s, else 2048.',
    ),
  temperature: samplingFields.temperature,
  top_k: samplingFields.top_k,
  top_p: samplingFields.top_p,
  min_p: samplingFields.min_p,
  repeat_penalty: samplingFields.repeat_penalty,
  presence_penalty: samplingFields.presence_penalty,
  frequency_penalty: samplingFields.frequency_penalty,
  seed: samplingFields.seed,
  stop: samplingFields.stop,
  typical_p: onlyOff('typical_p', sampler, 1),
  tfs_z: onlyOff('tfs_z', sampler, 1),
  mirostat: onlyOff('mirostat', sampler, 0),
  mirostat_tau: ignored('No effect while `mirostat` is off.'),
  mirostat_eta: ignored('No effect while `mirostat` is off.'),
  repeat_last_n: onlyOff('repeat_last_n', 'The penalty applies to the whole context.', -1, 64),
  penalize_newline: onlyOff('penalize_newline', 'Line breaks are treated like other tokens.', false, true),
  num_ctx: hardware('The size of the context.'),
  num_keep: ignored('A full context ends the answer; nothing is shifted out of it.'),
  num_batch: hardware('Tokens of one pass.'),
  num_thread: hardware('Threads.'),
  num_gpu: hardware('Layers on a GPU.'),
  main_gpu: hardware('The GPU.'),
  numa: hardware('Memory of several processors.'),
  low_vram: hardware('Memory of the GPU.'),
  f16_kv: hardware('Precision of the KV cache.'),
  use_mmap: hardware('How weights are read.'),
  use_mlock: hardware('Whether weights stay in memory.'),
  vocab_only: hardware('Loads no weights.'),
  embedding_only: hardware('Loads no LM head.'),
  logits_all: ignored('Log probabilities are asked for with `logprobs`.'),
})

export const optionsField = ollamaOptionsSchema.nullish().describe('Sampling and the length of the answer.')

export const formatField = z
  .union([z.literal(['', 'json']), jsonObject])
  .nullish()
  .describe(
    'The format of the answer, enforced by a grammar: `json` is any JSON object, an object is a JSON schema.',
  )

export const thinkField = z
  .union([z.boolean(), z.enum(['low', 'medium', 'high', 'max'])])
  .nullish()
  .describe(
    'Thoughts come in `thinking`. True, or how much: the model thinks. False: a model that can choose does not think, and ' +
      'thoughts are left out. If omitted: as the model’s template says.',
  )

export const streamField = z
  .boolean()
  .nullish()
  .meta({ default: true })
  .describe('False: one body. Default true: a line of JSON for each piece.')

export const keepAliveField = z
  .union([z.number(), z.string().max(64)])
  .nullish()
  .describe('Ignored: the configuration decides how long models stay loaded.')

export const logprobFields = {
  logprobs: z.boolean().nullish().describe('Return the log probability of every token of the answer.'),
  top_logprobs: z
    .int()
    .min(0)
    .max(20)
    .nullish()
    .describe('Return this many of the most probable tokens at every position; requires `logprobs: true`.'),
}

/** The model of a request, under its name of today and its older one. */
export const modelFields = {
  model: z
    .string()
    .nullish()
    .describe('Id or alias of a model, with or without `:latest`. If omitted: the first one.'),
  name: z.string().nullish().describe('An older name of `model`, which takes precedence.'),
}

export type OllamaOptions = z.output<typeof ollamaOptionsSchema>
export type OllamaFormat = z.output<typeof formatField>
export type OllamaThink = z.output<typeof thinkField>
