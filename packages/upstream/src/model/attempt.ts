import type { IncomingMessage } from 'node:http'
import { ModelUnavailableError, type RemoteEvent, type RemoteRequest } from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { Failure } from '../http/failure.ts'
import { parseJson, readBody } from '../http/read-body.ts'
import { type ServerNames, titleOf } from '../http/response-failure.ts'
import { AnswerReader } from '../stream/answer-reader.ts'
import { StreamFault } from '../stream/event-reader.ts'
import { EventStream, type EventStreamOptions } from '../stream/event-stream.ts'
import { exchange, type ExchangeOptions, reportedFailure } from './exchange.ts'

const paths = { chat: '/chat/completions', completion: '/completions' } as const

/** A whole answer, of a server that does not stream. */
const MAX_BODY_BYTES = 32 * 1024 * 1024

/** Asks one server for an answer. @throws Failure; the signal's reason */
export const attempt = (
  request: RemoteRequest,
  options: ExchangeOptions,
): AsyncGenerator<RemoteEvent, void, undefined> =>
  exchange(
    {
      path: paths[request.kind],
      body: bodyOf(request, options.name, options.spec),
      lateWords: 'wrote no token',
      read: (response, names) => eventsOf(response, { request, spec: options.spec, names }),
    },
    options,
  )

interface ReadOptions {
  readonly request: RemoteRequest
  readonly spec: UpstreamModelSpec
  readonly names: ServerNames
}

async function* eventsOf(
  response: IncomingMessage,
  { request, spec, names }: ReadOptions,
): AsyncGenerator<RemoteEvent, void, undefined> {
  const reader = new AnswerReader(request, spec)
  try {
    for await (const event of valuesOf(response, spec, names, reader)) {
      const error = reportedFailure(event, names)
      if (error !== undefined) throw error
      const parts = reader.read(event)
      if (parts !== undefined) yield parts
    }
  } catch (error) {
    // The answer is whole; only its usage, or the end of the stream, is missing.
    if (!(error instanceof StreamFault) || !reader.isFinished) throw error
  }
  if (!reader.isFinished) throw new StreamFault('ended an answer before it was complete')
  yield reader.end()
}

function bodyOf({ fields }: RemoteRequest, model: string, { omit }: UpstreamModelSpec): object {
  // OpenAI's newer models know only the other name, and the length must not be lost.
  const length = omit.includes('max_tokens') ? { max_completion_tokens: fields['max_tokens'] } : {}
  return { ...length, ...fields, stream_options: { include_usage: true }, model, stream: true }
}

/** The values of a stream, or the one value of a body. Iterating throws StreamFault, or Failure for another type. */
function valuesOf(
  response: IncomingMessage,
  spec: UpstreamModelSpec,
  names: ServerNames,
  silence: EventStreamOptions,
): AsyncIterable<unknown> {
  const type = (response.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  return type === 'text/event-stream'
    ? new EventStream(response, silence)
    : wholeValue(response, type, spec, names)
}

async function* wholeValue(
  response: IncomingMessage,
  type: string,
  { firstTokenTimeoutMs }: UpstreamModelSpec,
  names: ServerNames,
): AsyncGenerator<unknown, void, undefined> {
  const text = await readBody(response, { maxBytes: MAX_BODY_BYTES, timeoutMs: firstTokenTimeoutMs })
  const value = type === 'application/json' ? parseJson(text) : undefined
  if (value !== undefined) return void (yield value)
  const what = type === '' ? 'a body without a type' : `'${type.slice(0, 100)}'`
  throw new Failure(
    new ModelUnavailableError(
      `${titleOf(names)} answers with ${what} instead of an event stream. ` +
        'Check baseUrl in the configuration: it mostly ends in /v1.',
    ),
    { retry: 'elsewhere', serverProblem: `answers with ${what} instead of an event stream` },
  )
}
