import { z } from 'zod'
import { petalsRequestSchema } from '../swarm/route.ts'
import { ignored, text, tokenId } from './primitives.ts'

/** The most texts that may end an answer: OpenAI accepts 4, other servers any number. */
const maxStops = 100
const stopSequence = text.max(1000)

const maxBiases = 1024

const repetitionPenalty = z.number().min(0.01).max(10).nullish()

/**
 * Clients send seeds of 64 bits, which a number of JavaScript can't hold exactly: those are reduced as the smaller ones are in
 * the end.
 */
const seed = z
  .preprocess(
    (value) =>
      Number.isInteger(value) && !Number.isSafeInteger(value) ? (value as number) % 2 ** 32 : value,
    // Without the limits that zod has for every integer, which the document would tell.
    z.int().meta({ minimum: undefined, maximum: undefined }),
  )
  .nullish()

export const modelField = z
  .string()
  .nullish()
  .describe(
    'Id or alias of a model of this server (see /v1/models). If omitted: the first one. An unknown name stands for the ' +
      'only model, where the server has one model (`server.unknownModel`).',
  )

/** Fields that chat completions and completions share. If omitted or null: the model's default, then OpenAI's. */
export const samplingFields = {
  temperature: z
    .number()
    .min(0)
    .max(100)
    .nullish()
    .meta({ default: 0.6 })
    .describe('0 always selects the most probable token. Default: the model’s, else 0.6.'),
  top_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .meta({ default: 0.9 })
    .describe(
      'Sample from the smallest set of tokens whose probability reaches this; 1 is off, 0 selects the most probable token. ' +
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
      'Exclude tokens whose probability is less than this share of the highest one. Default: the model’s, else 0. Extension.',
    ),
  repetition_penalty: repetitionPenalty
    .meta({ default: 1 })
    .describe(
      'Divides the logits of tokens that have already occurred (prompt included); 1 is off. Default: the model’s, else 1. Extension.',
    ),
  repeat_penalty: repetitionPenalty.describe(
    'llama-server’s name for repetition_penalty, which takes precedence. Extension.',
  ),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .meta({ default: 0 })
    .describe('Lowers the logits of tokens that the answer already contains. Default 0.'),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .meta({ default: 0 })
    .describe(
      'Lowers the logits of tokens once for every time that the answer contains them. Default: the model’s, else 0.',
    ),
  logit_bias: z
    .union([
      z
        .record(
          z.string().regex(/^\d{1,10}$/, 'Keys of logit_bias are token ids in decimal digits.'),
          z.number().min(-100).max(100),
        )
        .refine(
          (bias) => Object.keys(bias).length <= maxBiases,
          `logit_bias takes at most ${maxBiases} tokens.`,
        )
        .meta({ maxProperties: maxBiases }),
      z.array(z.tuple([tokenId, z.union([z.number().min(-100).max(100), z.literal(false)])])).max(maxBiases),
    ])
    .nullish()
    .describe(
      'Maps a token id to a number that is added to its logit; or, as in llama-server, a list of pairs, where false bans a token.',
    ),
  seed: seed.describe(
    'The same seed, prompt and parameters give the same answer. Taken modulo 2^32. Default, and with -1: a new seed for every request.',
  ),
  random_seed: seed.describe('Mistral’s name for seed, which takes precedence. Extension.'),
  stop: z
    .union([stopSequence, z.array(stopSequence).max(maxStops)])
    .nullish()
    .describe(
      `Texts that end the answer (at most ${maxStops}); they are not part of it. Empty texts have no effect.`,
    ),
  n: z
    .int()
    .min(1)
    .max(128)
    .nullish()
    .meta({ default: 1 })
    .describe('Number of answers, generated one after another on the same KV cache. Default 1.'),
  ignore_eos: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Continue after the model’s end tokens (for benchmarks). Default false. Extension.'),
  petals: petalsRequestSchema
    .nullish()
    .describe(
      '`{"route": true}` (or the header `X-Petals-Route: 1`): report which servers of a swarm the answer used. Extension.',
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
      'With `stream: true`: every event gets an `id`, and the answer continues for a while when the connection is cut; ' +
        '`GET /v1/answers/{id}/stream` returns the rest. Without it, closing the connection stops the engine. Default false. Extension.',
    ),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().nullish(),
      include_obfuscation: ignored('Random padding of events.'),
      continuous_usage_stats: z
        .literal(false)
        .nullish()
        .describe('vLLM’s usage in every event is not supported; the last event has it.'),
    })
    .nullish()
    .describe(
      '`include_usage: true` adds a last event with `choices: []` and `usage`; in all other events `usage` is null.',
    ),
}
