import type { IncomingMessage } from 'node:http'
import {
  InvalidRequestError,
  ModelUnavailableError,
  type RemoteEmbeddingRequest,
  type RemoteEmbeddings,
} from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { Failure } from '../http/failure.ts'
import { parseJson, readBody } from '../http/read-body.ts'
import {
  failureOf,
  noRoute,
  quote,
  type ReportedError,
  type ServerNames,
  titleOf,
} from '../http/response-failure.ts'
import { StreamFault } from '../stream/event-reader.ts'
import { MAX_DIMENSIONS, readEmbeddings } from '../stream/read-embeddings.ts'
import { exchange, type ExchangeOptions, reportedFailure } from './exchange.ts'

/** A number of 64 bits, and what separates it from the next one. */
const MAX_NUMBER_BYTES = 26
const MAX_BODY_BYTES = 32 * 1024 * 1024

/** What an answer may take; the vector in addition is for all that is around the vectors. */
const mostBytes = (inputs: number): number =>
  Math.min((inputs + 1) * MAX_DIMENSIONS * MAX_NUMBER_BYTES, MAX_BODY_BYTES)

/** Asks one server for embeddings, and yields them all at once. @throws Failure; the signal's reason */
export const embed = (
  { input, dimensions }: RemoteEmbeddingRequest,
  options: ExchangeOptions,
): AsyncGenerator<RemoteEmbeddings, void, undefined> =>
  exchange(
    {
      path: '/embeddings',
      // A format is not asked for: not all servers know the field, and either form is read.
      body: { input, dimensions, model: options.name },
      lateWords: 'sent no embeddings',
      read: (response, names) => embeddingsOf(response, { input, spec: options.spec, names }),
      judge: (reported, names) => judge(reported, names, options.name),
    },
    options,
  )

interface ReadOptions extends Pick<RemoteEmbeddingRequest, 'input'> {
  readonly spec: UpstreamModelSpec
  readonly names: ServerNames
}

async function* embeddingsOf(
  response: IncomingMessage,
  { input, spec, names }: ReadOptions,
): AsyncGenerator<RemoteEmbeddings, void, undefined> {
  const timeoutMs = spec.firstTokenTimeoutMs
  const maxBytes = mostBytes(input.length)
  const text = await readBody(response, { maxBytes, timeoutMs })
  if (Buffer.byteLength(text) >= maxBytes)
    throw wrongForm(`sent an answer of more than ${maxBytes} bytes`, names)
  if (!response.complete) throw new StreamFault('closed the connection in the middle of an answer')
  const body = parseJson(text)
  const error = reportedFailure(body, names)
  if (error !== undefined) throw error
  yield read(body, input, names)
}

function read(body: unknown, input: RemoteEmbeddingRequest['input'], names: ServerNames): RemoteEmbeddings {
  try {
    return readEmbeddings(body, { input })
  } catch (error) {
    throw error instanceof StreamFault ? wrongForm(error.message, names) : error
  }
}

/** The same server would send it again. */
const wrongForm = (problem: string, names: ServerNames): Failure =>
  new Failure(
    new ModelUnavailableError(
      `${titleOf(names)} ${problem}. Check baseUrl and model in the configuration: the model must be one that makes embeddings.`,
    ),
    { retry: 'elsewhere' },
  )

/** A server without the route says so in the same way as one that does not know the model; only its words tell which. */
function judge(reported: ReportedError, names: ServerNames, name: string): Failure {
  const { status, code, message = '' } = reported
  const isOfModel = code === 'model_not_found' || (message.includes(name) && !/embed/i.test(message))
  if (!noRoute.has(status) || (status === 404 && isOfModel)) return failureOf(reported, names)
  return new Failure(
    new InvalidRequestError(
      `${titleOf(names)} makes no embeddings${quote(reported.message, names)} Use a model whose server makes them.`,
      { param: 'model', reason: 'unsupported_value' },
    ),
    { retry: 'elsewhere' },
  )
}
