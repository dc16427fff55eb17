import { z } from 'zod'
import { petalsRequestSchema } from '../swarm/route.ts'
import { ignored, text, tokenId } from './primitives.ts'

/** How many texts may end an answer: OpenAI takes 4, other servers any number. */
const maxStops = 100
const stopSequence = text.max(1000)

const maxBiases = 1024

const repetitionPenalty = z.number().min(0.01).max(10).nullish()
const seed = z.int().nullish()

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
    .max(100)
    .nullish()
    .meta({ default: 0.6 })
    .describe('0 always takes the most probable token. Default: the model’s, else 0.6.'),
  top_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .meta({ default: 0.9 })
    .describe(
      'Sample from the smallest set of tokens whose probability reaches this; 1 is off, 0 takes the most probable token. ' +
        'Default: the model’s, else 0.9.',
    ),
  top_k: z
    .int()
    .min(-1)
    .max(1_000_000)
    .nullish()
    .meta({ default: 0 })
    .describe(
      'Sample from this many most probable tokens; 0 and -1 are off. Default: the model’s, else 0. Extension.',
    ),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .meta({ default: 0 })
    .describe(
      'Leave out tokens with less than this share of the best one’s probability. Default: the model’s, else 0. Extension.',
    ),
  repetition_penalty: repetitionPenalty
    .meta({ default: 1 })
    .describe(
      'Divides the logits of tokens that occurred already (prompt included); 1 is off. Default: the model’s, else 1. Extension.',
    ),
  repeat_penalty: repetitionPenalty.describe(
    'llama-server’s name of repetition_penalty, which wins. Extension.',
  ),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .meta({ default: 0 })
    .describe('Against tokens that the answer has already. Default 0.'),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .meta({ default: 0 })
    .describe('Against tokens that the answer has already, for every time. Default: the model’s, else 0.'),
  logit_bias: z
    .union([
      z
        .record(
          z.string().regex(/^\d{1,10}$/, 'Keys of logit_bias are token ids in decimal digits.'),
          z.number().min(-100).max(100),
        )
        .refine(
          (bias) => Object.keys(bias).length <= maxBiases,
          `logit_bias takes ${maxBiases} tokens at most.`,
        ),
      z.array(z.tuple([tokenId, z.union([z.number().min(-100).max(100), z.literal(false)])])).max(maxBiases),
    ])
    .nullish()
    .describe(
      'Token id to a number that is added to its logit; or, as at llama-server, a list of pairs, where false bans a token.',
    ),
  seed: seed.describe(
    'Same seed, prompt and parameters: same answer. Taken modulo 2^32. Default, and with -1: a new one every time.',
  ),
  random_seed: seed.describe('Mistral’s name of seed, which wins. Extension.'),
  stop: z
    .union([stopSequence, z.array(stopSequence).max(maxStops)])
    .nullish()
    .describe(
      `Texts that end the answer (${maxStops} at most); they are not part of it. Empty ones end nothing.`,
    ),
  n: z
    .int()
    .min(1)
    .max(128)
    .nullish()
    .meta({ default: 1 })
    .describe('Answers to give, one after another on the same KV cache. Default 1.'),
  ignore_eos: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Go on after the model’s end tokens (for benchmarks). Default false. Extension.'),
  petals: petalsRequestSchema
    .nullish()
    .describe(
      '`{"route": true}` (or the header `X-Petals-Route: 1`): tell which servers of a swarm the answer took. Extension.',
    ),
  stream: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Answer with server-sent events, ended by `data: [DONE]`. Default false.'),
  resumable: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe(
      'With `stream: true`: every event gets an `id`, and the answer goes on for a while when the connection is cut; ' +
        '`GET /v1/answers/{id}/stream` gives the rest. Without it, closing the connection stops the engine. Default false. Extension.',
    ),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().nullish(),
      include_obfuscation: ignored('Random padding of chunks.'),
      continuous_usage_stats: z
        .literal(false)
        .nullish()
        .describe('vLLM’s usage in every event is not given here; the last one has it.'),
    })
    .nullish()
    .describe(
      '`include_usage: true` adds a last event with `choices: []` and `usage`; in all others `usage` is null.',
    ),
}
