import { parseJson } from '../../../packages/upstream/src/http/read-body.ts'
import { failureOf, readError } from '../../../packages/upstream/src/http/response-failure.ts'
import { readList } from '../../../packages/upstream/src/servers/read-list.ts'
import { AnswerReader } from '../../../packages/upstream/src/stream/answer-reader.ts'
import { EventReader, StreamFault } from '../../../packages/upstream/src/stream/event-reader.ts'
import type { FuzzTarget } from '../fuzz.ts'

const target = (name: string, seeds: readonly string[], run: (text: string) => unknown): FuzzTarget => ({
  name: `upstream-${name}`,
  seeds: seeds.map((seed) => Buffer.from(seed)),
  run: (bytes) => void run(new TextDecoder().decode(bytes)),
  refusals: [StreamFault],
})

const events = (...values: readonly object[]): string =>
  `${values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('')}data: [DONE]\n\n`
const choice = (delta: object, more: object = {}) => ({ choices: [{ index: 0, delta, ...more }] })
const logprob = { token: 'a', logprob: -0.5, bytes: [97], top_logprobs: [] }

/** Reads a stream in two pieces, as an attempt does. */
function readAnswer(kind: 'chat' | 'completion', text: string): void {
  const answer = new AnswerReader(
    { kind, fields: { messages: [] } },
    { firstTokenTimeoutMs: 1, idleTimeoutMs: 1 },
  )
  const reader = new EventReader((event) => answer.read(event))
  const half = Math.floor(text.length / 2)
  reader.push(text.slice(0, half))
  reader.push(text.slice(half))
  reader.finish()
  answer.end()
}

const names = { model: 'a', server: 'b:1', apiKey: 'secret' }

/** What the servers of `engine: upstream` send. */
export const upstreamTargets: readonly FuzzTarget[] = [
  target(
    'chat',
    [
      events(
        choice({ reasoning_content: 'Hm', content: 'Hi' }, { logprobs: { content: [logprob] } }),
        choice({ tool_calls: [{ index: 0, id: 'x', function: { name: 'f', arguments: '{}' } }] }),
        choice({}, { finish_reason: 'stop' }),
        { choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } },
      ),
      ': ping\r\n\r\nevent: x\ndata: {"choices":[]}\n\n',
    ],
    (text) => readAnswer('chat', text),
  ),
  target(
    'completion',
    [
      events({
        choices: [{ text: 'a', logprobs: { tokens: ['a'], token_logprobs: [-1] }, finish_reason: 'length' }],
      }),
    ],
    (text) => readAnswer('completion', text),
  ),
  target('models', [JSON.stringify({ data: [{ id: 'a', max_model_len: 10, meta: { n_ctx: 5 } }] })], (text) =>
    readList(parseJson(text)),
  ),
  target(
    'error',
    ['{"error":{"message":"too long: 10 of 5 tokens","code":"context_length_exceeded"}}', '{"detail":"no"}'],
    (text) => failureOf({ status: 400, ...readError(parseJson(text)) }, names),
  ),
]
