import { z } from 'zod'
import { petalsRequestSchema } from '../../../swarm/route-request.ts'
import { ignored, text } from './primitives.ts'

const stopSequence = text.min(1).max(1000)

export const modelField = z
  .string()
  .nullish()
  .describe(
    'Id or alias of a model of this server (see /v1/models). Left out: the first one. A name that is none of them is ' +
      'taken for the only model, where one is served (`server.unknownModel`).',
  )

/** Fields that chat completions and completions share. Left out or null: the model's default, then OpenAI's. */
export const samplingFields = {
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .describe('0 always takes the most probable token. Default: the model’s, else 1.'),
  top_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe(
      'Sample from the smallest set of tokens whose probability reaches this. Default: the model’s, else 1.',
    ),
  top_k: z
    .int()
    .min(-1)
    .max(1_000_000)
    .nullish()
    .describe('Sample from this many most probable tokens; 0 and -1 are off. Extension.'),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe('Leave out tokens with less than this share of the best one’s probability. Extension.'),
  repetition_penalty: z
    .number()
    .min(0.01)
    .max(10)
    .nullish()
    .describe('Divides the logits of tokens that occurred already (prompt included); 1 is off. Extension.'),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe('Against tokens that the answer has already. Default 0.'),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe('Against tokens that the answer has already, for every time. Default 0.'),
  logit_bias: z
    .record(
      z.string().regex(/^\d{1,10}$/, 'Keys of logit_bias are token ids in decimal digits.'),
      z.number().min(-100).max(100),
    )
    .refine((bias) => Object.keys(bias).length <= 1024, 'logit_bias takes 1024 tokens at most.')
    .nullish()
    .describe('Token id to a number that is added to its logit.'),
  seed: z
    .int()
    .nullish()
    .describe(
      'Same seed, prompt and parameters: same answer. Taken modulo 2^32. Default: a new one every time.',
    ),
  stop: z
    .union([stopSequence, z.array(stopSequence).max(4)])
    .nullish()
    .describe('Texts that end the answer (4 at most); they are not part of it.'),
  n: z
    .int()
    .min(1)
    .max(128)
    .nullish()
    .describe('Answers to give, one after another on the same KV cache. Default 1.'),
  ignore_eos: z
    .boolean()
    .nullish()
    .describe('Go on after the model’s end tokens (for benchmarks). Extension.'),
  petals: petalsRequestSchema
    .nullish()
    .describe(
      '`{"route": true}` (or the header `X-Petals-Route: 1`): tell which servers of a swarm the answer took. Extension.',
    ),
  stream: z.boolean().nullish().describe('Answer with server-sent events, ended by `data: [DONE]`.'),
  resumable: z
    .boolean()
    .nullish()
    .describe(
      'With `stream: true`: every event gets an `id`, and the answer goes on for a while when the connection is cut; ' +
        '`GET /v1/answers/{id}/stream` gives the rest. Without it, closing the connection stops the engine. Extension.',
    ),
  stream_options: z
    .object({
      include_usage: z.boolean().nullish(),
      include_obfuscation: ignored('Random padding of chunks.'),
    })
    .nullish()
    .describe(
      '`include_usage: true` adds a last event with `choices: []` and `usage`; in all others `usage` is null.',
    ),
}

/** Fields of both that have no bearing on the answer. */
export const ignoredFields = {
  user: ignored('An id of the end user.'),
  metadata: ignored('Notes for OpenAI’s dashboard.'),
  store: ignored('Storing at OpenAI.'),
  service_tier: ignored('OpenAI’s price classes.'),
  safety_identifier: ignored('An id of the end user.'),
  prompt_cache_key: ignored('KV caches are found by prefix here, without a key.'),
  cache_prompt: ignored('KV caches are always reused.'),
  prompt_cache_retention: ignored('KV caches are kept while there is room.'),
}
