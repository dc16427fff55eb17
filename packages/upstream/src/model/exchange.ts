import type { IncomingMessage } from 'node:http'
import { type AbortOptions, ModelUnavailableError } from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { Failure } from '../http/failure.ts'
import { ConnectionError, type HttpClient } from '../http/http-client.ts'
import { failureOf, readError, responseFailure, type ServerNames, titleOf } from '../http/response-failure.ts'
import type { UpstreamServer } from '../servers/server.ts'
import { StreamFault } from '../stream/event-reader.ts'

/** Where and how one server is asked. */
export interface ExchangeOptions extends AbortOptions {
  readonly spec: UpstreamModelSpec
  /** Name of the model at the server. */
  readonly name: string
  readonly client: HttpClient
  readonly server: UpstreamServer
  readonly via: string | undefined
}

/** A request, and how its response is read. */
export interface Exchange<Part> {
  /** Path below the address of the server. */
  readonly path: string
  readonly body: object
  /** What a server that lets the time pass has not done: `wrote no token`. */
  readonly lateWords: string
  /** Reads a response with the status 200. The time for the first part is `firstTokenTimeoutMs`. */
  read(response: IncomingMessage, names: ServerNames): AsyncIterable<Part>
  /** Decides what the error of another response means; left out: as `failureOf`. */
  readonly judge?: typeof failureOf
}

/** Asks one server, and yields the parts of its answer. @throws Failure; the signal's reason */
export async function* exchange<Part>(
  { path, body, lateWords, read, judge }: Exchange<Part>,
  { spec, client, server, signal, via }: ExchangeOptions,
): AsyncGenerator<Part, void, undefined> {
  const names: ServerNames = { model: spec.id, server: server.name, apiKey: spec.apiKey }
  const stopping = new AbortController()
  let response: IncomingMessage | undefined
  const stop = (reason: unknown): void => {
    stopping.abort(reason)
    response?.destroy()
  }
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    stop(tooLate)
  }, spec.firstTokenTimeoutMs)
  const onAbort = () => stop(signal!.reason)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    response = await client.send({
      url: `${server.baseUrl}${path}`,
      body: withoutOmitted(body, spec),
      apiKey: spec.apiKey,
      headers: via === undefined ? undefined : { via },
      connectTimeoutMs: spec.connectTimeoutMs,
      responseTimeoutMs: spec.firstTokenTimeoutMs,
      signal: stopping.signal,
    })
    if (response.statusCode !== 200) throw await responseFailure(response, names, judge)
    for await (const part of read(response, names)) {
      clearTimeout(timer)
      yield part
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw isLate ? lateFailure(spec, names, lateWords) : asFailure(error, names)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    if (response?.complete === false && !response.readableFlowing) response.destroy()
  }
}

/** What the entry leaves out stays out, also of what this server itself adds. */
const withoutOmitted = (body: object, { omit }: UpstreamModelSpec): object =>
  Object.fromEntries(
    Object.entries(body).filter(([name, value]) => value !== undefined && !omit.includes(name)),
  )

const tooLate = new Error('The first token is late.')

/** It may still be at work: to ask again would double that, and the wait. */
function lateFailure(
  { firstTokenTimeoutMs }: UpstreamModelSpec,
  names: ServerNames,
  lateWords: string,
): Failure {
  const problem = `${lateWords} for ${firstTokenTimeoutMs / 1000} s`
  return new Failure(new ModelUnavailableError(`${titleOf(names)} ${problem}. Try again later.`), {
    retry: 'nowhere',
    serverProblem: problem,
  })
}

/** Servers report an error in the middle of a stream as an event, and some in a body with the status 200. */
export function reportedFailure(value: unknown, names: ServerNames): Failure | undefined {
  if (typeof value !== 'object' || value === null || !('error' in value) || value.error == null)
    return undefined
  const { error } = value
  const given = typeof error === 'object' && 'code' in error ? Number(error.code) : NaN
  const status = Number.isInteger(given) && given >= 400 && given < 600 ? given : 0
  return failureOf({ status, ...readError(value) }, names)
}

function asFailure(error: unknown, names: ServerNames): unknown {
  const of = titleOf(names)
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
