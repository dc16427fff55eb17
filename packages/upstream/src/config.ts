import { fallbackSchema, remoteModelSpecSchema } from '@petals-chat/engine/model-spec'
import { z } from 'zod'

/** The longest delay of a timer in Node, about 25 days. */
const maxTimerMs = 2 ** 31 - 1
const timeout = (defaultMs: number) => z.int().min(10).max(maxTimerMs).default(defaultMs)

const addressSchema = z.string().transform((text, context) => {
  const problem = addressProblem(text)
  if (problem !== undefined) {
    context.addIssue({ code: 'custom', message: problem })
    return z.NEVER
  }
  // As the URL standard writes it: HTTPS://Host and https://host are the same server.
  const { origin, pathname } = new URL(text)
  return `${origin}${pathname}`.replace(/\/+$/, '')
})

/** Says what is wrong with the address of a server. Addresses are checked here, once; no request changes them. */
function addressProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return 'must be an address that begins with http:// or https://, for example http://10.0.0.7:8000/v1'
  if (url.username !== '' || url.password !== '')
    return 'an address must not contain a user or a password: it is shown in messages. Use apiKey.'
  if (url.search !== '' || url.hash !== '')
    return 'an address ends with its path: remove what begins with ? or #.'
  return undefined
}

/** A key is sent in a header, which takes no other characters. */
const keySchema = z
  .string()
  .min(1)
  .refine((key) => /^[ -~]*$/.test(key), {
    error:
      'a key has only letters, digits and signs of ASCII in one line: remove the line break, or what else there is.',
  })

/** An entry of `models:` for this engine. */
export const upstreamModelSchema = remoteModelSpecSchema
  .extend({
    engine: z
      .literal('upstream')
      .describe(
        'upstream: another server runs the model (vLLM, llama-server, SGLang, Parallax, a paid API).',
      ),
    baseUrl: addressSchema
      .optional()
      .describe('Address of a server with an OpenAI-compatible API, mostly with /v1 at its end.'),
    baseUrls: z
      .array(addressSchema)
      .min(1)
      .optional()
      .describe('Several such servers with the same model; each answer goes to the one with the fewest.'),
    model: z
      .string()
      .min(1)
      .optional()
      .describe('Name of the model at the server. Left out: the id of this entry.'),
    models: z
      .literal('auto')
      .optional()
      .describe(
        'auto: the entry stands for all models that the server lists now. Their ids are ID/NAME, with NAME as alias.',
      ),
    apiKey: keySchema
      .optional()
      .describe(
        'Key that the server asks for; ${NAME} keeps it out of the file. It is sent to no other address.',
      ),
    fallback: fallbackSchema,
    omit: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Fields of requests that the server refuses, and that are left out: for example top_k, chat_template_kwargs.',
      ),
    contextLength: z
      .int()
      .min(16)
      .optional()
      .describe('Maximum length of prompt and answer together, in tokens. Left out: what the server says.'),
    maxAnswers: z
      .int()
      .min(1)
      .optional()
      .describe(
        'Answers that the servers write at the same time; further ones wait here, in the fair queue.',
      ),
    retries: z
      .int()
      .min(0)
      .max(10)
      .default(2)
      .describe(
        'Further attempts after one that failed before its first token, at another server if there is one.',
      ),
    connectTimeoutMs: timeout(5_000).describe('Milliseconds until a server must accept a connection.'),
    firstTokenTimeoutMs: timeout(300_000).describe(
      'Milliseconds until the first token of an answer; a server may queue requests and read long prompts.',
    ),
    idleTimeoutMs: timeout(60_000).describe(
      'Milliseconds of silence after which a running answer has failed.',
    ),
    healthIntervalMs: timeout(15_000).describe(
      'Milliseconds between two looks at the models of each server (GET /models).',
    ),
  })
  .superRefine((entry, context) => {
    const issue = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if ((entry.baseUrl === undefined) === (entry.baseUrls === undefined))
      issue('baseUrl', 'an entry of the engine upstream has either baseUrl or baseUrls.')
    if (entry.model !== undefined && entry.models !== undefined)
      issue('models', 'an entry has either model, for one, or models: auto, for all.')
  })

export type UpstreamModelSpec = Readonly<z.output<typeof upstreamModelSchema>>
/** The entry as written in the file, before defaults are applied. */
export type UpstreamModelInput = z.input<typeof upstreamModelSchema>
