import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { modelErrorStatuses, type Operation } from '../operation.ts'
import { petalsRequestSchema, petalsSchema } from '../swarm/route.ts'
import { legacyErrorSchema, legacySamplingFields, legacyTag } from './generate.ts'

const apiKey = z
  .string()
  .optional()
  .describe(
    'The API key, where the upgrade request has none: browsers can not set its headers. The message then has at most ' +
      '8,192 characters, and comes within 10 s. Extension.',
  )

const openMessage = z.object({
  type: z.literal('open_inference_session'),
  model: z.string().optional().describe('Id or alias of a model. Default: the first one of this server.'),
  max_length: z.int().min(1).describe('Tokens of all inputs and answers of the session together.'),
  resumable: z
    .boolean()
    .optional()
    .describe('The session continues for a while when its socket is cut. Extension.'),
  api_key: apiKey,
})

const resumeMessage = z
  .object({
    type: z.literal('resume'),
    id: z.string(),
    received: z.int().min(0).describe('`seq` of the last message that arrived; 0: none.'),
    api_key: apiKey,
  })
  .describe('As the first message on a new socket: continues a session whose socket was cut. Extension.')

const generateMessage = z.object({
  type: z.literal('generate'),
  inputs: z
    .string()
    .optional()
    .describe('The text to add to the session; omitted: continue after its last token.'),
  ...legacySamplingFields,
  stop_sequence: z
    .string()
    .max(1000)
    .optional()
    .describe('The answer continues, part by part, until it ends with this text; omitted: one part.'),
  extra_stop_sequences: z
    .array(z.string().max(1000))
    .max(100)
    .optional()
    .describe('Other texts that end the answer; they require a stop_sequence of exactly one token.'),
  petals: petalsRequestSchema.optional().describe('As on /v1. Extension.'),
})

/** Messages of the client on `/api/v2/generate`. The first one opens or resumes a session. */
export const legacyClientMessageSchema = z.discriminatedUnion('type', [
  openMessage,
  resumeMessage,
  generateMessage,
])

const openedMessage = z
  .object({
    ok: z.literal(true),
    id: z.string().optional().describe('Of a resumable session; omitted where the server does not keep it.'),
    generate_count: z.int().optional().describe('`generate` messages that arrived. Of a resumable session.'),
  })
  .describe('The session is open.')

/** Messages of a resumable session are numbered from 1, errors included. */
const seq = z.int().optional().describe('Number of the message. Of a resumable session.')

const partMessage = z
  .object({
    ok: z.literal(true),
    outputs: z.string(),
    stop: z.boolean().describe('This is the last part of the answer.'),
    token_count: z.int(),
    petals: petalsSchema
      .optional()
      .describe(
        'On request: the route with the first part, when it changes, and with the last part; waits. In any case, with the ' +
          'first and the last part of the answer of a fallback: why it answers.',
      ),
    model: z
      .string()
      .optional()
      .describe('The fallback that answers, where the model of the session can not.'),
    seq,
  })
  .describe('One part of an answer.')

/** Messages of the server on `/api/v2/generate`. An error closes the socket. */
export const legacyServerMessageSchema = z.union([
  partMessage,
  openedMessage,
  legacyErrorSchema.extend({ seq }),
])

/** One part of an answer, without the `ok` and `seq` of its message. */
export type AnswerPart = Immutable<Omit<z.output<typeof partMessage>, 'ok' | 'seq'>>
export type OpenedMessage = Immutable<z.output<typeof openedMessage>>
export type LegacyMessageType = z.output<typeof legacyClientMessageSchema>['type']

export const legacyWebSocketOperation: Operation = {
  tag: legacyTag.name,
  id: 'legacyWebSocket',
  scope: 'legacy',
  method: 'get',
  path: '/api/v2/generate',
  summary: 'WebSocket: an inference session for several calls',
  description:
    'Send `{"type": "open_inference_session", "model": …, "max_length": …}`, answered by `{"ok": true}`; then any ' +
    'number of `{"type": "generate", "inputs": …, "max_new_tokens": …, "stop_sequence": …}`, each answered by one or ' +
    'more `{"ok": true, "outputs": …, "stop": …, "token_count": …}`. An error is `{"ok": false, "traceback": …}`. ' +
    'With `"resumable": true` in the first message, the reply to it has an `id`, and all later messages of the server ' +
    'have a `seq`. When the socket is cut, `{"type": "resume", "id": …, "received": <seq>}` on a new socket continues ' +
    'after that message. Where this server asks for an API key and the upgrade request has none, the first message has ' +
    'it as `api_key`.',
  responses: { 101: { description: 'The connection is now a WebSocket.', content: {} } },
  messages: { client: legacyClientMessageSchema, server: legacyServerMessageSchema },
  error: legacyErrorSchema,
  errorStatuses: modelErrorStatuses,
}
