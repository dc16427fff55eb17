import { z } from 'zod'
import { ignored, jsonObject, text } from '../openai/primitives.ts'
import { modelField, samplingFields } from '../openai/sampling-fields.ts'
import { inputItemSchema } from './input-items.ts'
import { responseToolChoiceSchema, responseToolSchema } from './tools.ts'

const formatSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    name: z.string().min(1).max(64),
    description: text.nullish(),
    schema: jsonObject,
    strict: z.boolean().nullish(),
  }),
])

const word = z.string().max(64).nullish()

const { temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty, frequency_penalty, seed } =
  samplingFields

/** Request body of `POST /v1/responses`. */
export const responseRequestSchema = z.object({
  model: modelField,
  input: z
    .union([text, z.array(inputItemSchema).min(1).max(10_000)])
    .describe('What the model answers: a text of the user, or items, oldest first.'),
  instructions: text
    .nullish()
    .describe('A system message before everything else. Not carried over by `previous_response_id`.'),
  previous_response_id: z
    .string()
    .max(256)
    .nullish()
    .describe('A kept response of the same caller: its input and its output come before `input`.'),
  store: z
    .boolean()
    .nullish()
    .meta({ default: true })
    .describe('Keep the response for a while, in this server’s memory (`server.responses`). Default true.'),
  background: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe(
      'Respond at once; the answer goes on without the connection, and is read by its id. Default false.',
    ),
  metadata: z
    .record(z.string().max(64), z.string().max(512))
    .refine((pairs) => Object.keys(pairs).length <= 16, 'metadata takes at most 16 pairs.')
    .meta({ maxProperties: 16 })
    .nullish()
    .describe('At most 16 pairs, which are kept with the response.'),
  max_output_tokens: z
    .int()
    .min(1)
    .nullish()
    .meta({ default: 2048 })
    .describe(
      'Maximum number of tokens of the answer, thoughts included, limited by the free space of the context. Default: the ' +
        'model’s, else 2048.',
    ),
  temperature,
  top_p,
  top_k,
  min_p,
  repetition_penalty,
  presence_penalty,
  frequency_penalty,
  seed,
  text: z
    .strictObject({
      format: formatSchema.nullish().describe('The format of the answer, enforced by a grammar.'),
      verbosity: word.describe('Passed to the chat template as `verbosity`.'),
    })
    .nullish(),
  reasoning: z
    .strictObject({
      effort: word.describe(
        'Passed to the chat template as `reasoning_effort`; none: the model need not think.',
      ),
      summary: ignored('Thoughts are sent whole.'),
      generate_summary: ignored('An older name of summary.'),
      context: ignored('Templates omit earlier thoughts.'),
      mode: ignored('OpenAI’s price classes.'),
    })
    .nullish(),
  tools: z.array(responseToolSchema).max(128).nullish().describe('Tools that the model may call.'),
  tool_choice: responseToolChoiceSchema
    .nullish()
    .meta({ default: 'auto' })
    .describe(
      'Whether a tool is called, and which one; a grammar enforces `required` and a name. Default auto.',
    ),
  parallel_tool_calls: z
    .boolean()
    .nullish()
    .describe('False: at most one call per answer. If omitted: any number, one where a call is forced.'),
  top_logprobs: z
    .int()
    .min(0)
    .max(20)
    .nullish()
    .meta({ default: 0 })
    .describe('The most probable tokens at every position, in `logprobs` of the text. Default 0.'),
  include: z
    .array(z.string().max(200))
    .max(50)
    .nullish()
    .describe(
      '`message.output_text.logprobs` is honoured; what else can be named here belongs to OpenAI’s tools.',
    ),
  truncation: z
    .enum(['auto', 'disabled'])
    .nullish()
    .meta({ default: 'disabled' })
    .describe(
      'auto: the oldest turns are left out where the context is too short. disabled: this is an error. Default disabled.',
    ),
  stream: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Answer with server-sent events. Default false.'),
  stream_options: z.strictObject({ include_obfuscation: ignored('Random padding of events.') }).nullish(),
  chat_template_kwargs: jsonObject
    .nullish()
    .describe('Additional variables for the model’s chat template. Extension.'),
  client_metadata: ignored('Notes of Codex.'),
  prompt_cache_options: ignored('KV caches are found by prefix.'),
  max_tool_calls: z
    .int()
    .min(1)
    .nullish()
    .describe('The most calls of tools of MCP servers. Then the model has to answer without them.'),
})

export type ResponseRequest = z.output<typeof responseRequestSchema>
