import type { IncomingMessage } from 'node:http'
import {
  type AbortOptions,
  ModelUnavailableError,
  type RemoteEvent,
  type RemoteRequest,
} from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { Failure } from '../http/failure.ts'
import { ConnectionError, type HttpClient } from '../http/http-client.ts'
import { parseJson, readBody } from '../http/read-body.ts'
import { failureOf, readError, responseFailure, type ServerNames } from '../http/response-failure.ts'
import type { UpstreamServer } from '../servers/server.ts'
import { AnswerReader } from '../stream/answer-reader.ts'
import { StreamFault } from '../stream/event-reader.ts'
import { eventStream, type EventStreamOptions } from '../stream/event-stream.ts'

export interface AttemptOptions extends AbortOptions {
  readonly spec: UpstreamModelSpec
  /** Name of the model at the server. */
  readonly name: string
  readonly client: HttpClient
  readonly server: UpstreamServer
  readonly via: string | undefined
}

const paths = { chat: '/chat/completions', completion: '/completions' } as const

/** A whole answer, of a server that does not stream. */
const MAX_BODY_BYTES = 32 * 1024 * 1024

/** Asks one server for an answer. @throws Failure; the signal's reason */
export async function* attempt(
  request: RemoteRequest,
  { spec, name, client, server, signal, via }: AttemptOptions,
): AsyncGenerator<RemoteEvent, void, undefined> {
  const names: ServerNames = { model: spec.id, server: server.name, apiKey: spec.apiKey }
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(tooLate), spec.firstTokenTimeoutMs)
  const stopping = signal ? AbortSignal.any([signal, late.signal]) : late.signal
  let response: IncomingMessage | undefined
  const stop = () => response?.destroy()
  stopping.addEventListener('abort', stop, { once: true })
  try {
    response = await client.send({
      url: `${server.baseUrl}${paths[request.kind]}`,
      body: bodyOf(request, name, spec),
      apiKey: spec.apiKey,
      headers: via === undefined ? undefined : { via },
      connectTimeoutMs: spec.connectTimeoutMs,
      responseTimeoutMs: spec.firstTokenTimeoutMs,
      signal: stopping,
    })
    if (response.statusCode !== 200) throw await responseFailure(response, names)
    const reader = new AnswerReader(request, spec)
    try {
      for await (const event of valuesOf(response, spec, names, reader)) {
        const error = errorOf(event, names)
        if (error !== undefined) throw error
        const parts = reader.read(event)
        if (parts === undefined) continue
        clearTimeout(timer)
        yield parts
      }
    } catch (error) {
      // The answer is whole; only its usage, or the end of the stream, is missing.
      if (!(error instanceof StreamFault) || !reader.isFinished) throw error
    }
    if (!reader.isFinished) throw new StreamFault('ended an answer before it was complete')
    yield reader.end()
  } catch (error) {
    signal?.throwIfAborted()
    throw late.signal.aborted ? lateFailure(spec, names) : asFailure(error, names)
  } finally {
    clearTimeout(timer)
    stopping.removeEventListener('abort', stop)
    if (response?.complete === false && !response.readableFlowing) response.destroy()
  }
}

/** What the entry leaves out stays out, also of what this server itself adds. */
function bodyOf({ fields }: RemoteRequest, model: string, { omit }: UpstreamModelSpec): object {
  const body = { ...fields, stream_options: { include_usage: true }, model, stream: true }
  // OpenAI's newer models know only the other name, and the length must not be lost.
  const length = omit.includes('max_tokens') ? { max_completion_tokens: fields['max_tokens'] } : {}
  return Object.fromEntries(
    Object.entries({ ...length, ...body }).filter(
      ([name, value]) => value !== undefined && !omit.includes(name),
    ),
  )
}

const tooLate = new Error('The first token is late.')

/** It may still be at work: to ask again would double that, and the wait. */
function lateFailure({ firstTokenTimeoutMs }: UpstreamModelSpec, { model, server }: ServerNames): Failure {
  const problem = `wrote no token for ${firstTokenTimeoutMs / 1000} s`
  return new Failure(
    new ModelUnavailableError(`The server of the model '${model}' (${server}) ${problem}. Try again later.`),
    { retry: 'nowhere', serverProblem: problem },
  )
}

/** The values of a stream, or the one value of a body. @throws StreamFault */
async function* valuesOf(
  response: IncomingMessage,
  { firstTokenTimeoutMs }: UpstreamModelSpec,
  names: ServerNames,
  silence: EventStreamOptions,
): AsyncGenerator<unknown, void, undefined> {
  const type = (response.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (type === 'text/event-stream') return yield* eventStream(response, silence)
  const text = await readBody(response, { maxBytes: MAX_BODY_BYTES, timeoutMs: firstTokenTimeoutMs })
  const value = type === 'application/json' ? parseJson(text) : undefined
  if (value !== undefined) return void (yield value)
  const what = type === '' ? 'a body without a type' : `'${type.slice(0, 100)}'`
  throw new Failure(
    new ModelUnavailableError(
      `The server of the model '${names.model}' (${names.server}) answers with ${what} instead of an event stream. ` +
        'Check baseUrl in the configuration: it mostly ends in /v1.',
    ),
    { retry: 'elsewhere', serverProblem: `answers with ${what} instead of an event stream` },
  )
}

/** Servers report an error in the middle of a stream as an event. */
function errorOf(event: unknown, names: ServerNames): Failure | undefined {
  if (typeof event !== 'object' || event === null || !('error' in event) || event.error == null)
    return undefined
  const { error } = event
  const given = typeof error === 'object' && 'code' in error ? Number(error.code) : NaN
  const status = Number.isInteger(given) && given >= 400 && given < 600 ? given : 0
  return failureOf({ status, ...readError(event) }, names)
}

function asFailure(error: unknown, { model, server }: ServerNames): unknown {
  const of = `The server of the model '${model}' (${server})`
  if (error instanceof ConnectionError)
    return new Failure(
      new ModelUnavailableError(`${of} can't be reached: ${error.message}. Start it, or correct baseUrl.`, {
        cause: error,
      }),
      { retry: 'anywhere', serverProblem: error.message },
    )
  if (error instanceof StreamFault)
    return new Failure(new ModelUnavailableError(`${of} ${error.message}. Try again.`, { cause: error }), {
      retry: 'anywhere',
    })
  return error
}
