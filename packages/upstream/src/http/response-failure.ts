import type { IncomingMessage } from 'node:http'
import {
  CapacityError,
  ContextLengthError,
  type EngineError,
  InvalidRequestError,
  ModelUnavailableError,
} from '@petals-chat/engine'
import { Failure } from './failure.ts'
import { parseJson, readBody, retryAfterOf } from './read-body.ts'

/** Names a server in messages, and the key that they must not contain. */
export interface ServerNames {
  /** The id of the model here. */
  readonly model: string
  /** Host and port of the server. */
  readonly server: string
  readonly apiKey: string | undefined
}

/** An error as servers describe it. */
export interface ReportedError {
  readonly status: number
  readonly message: string | undefined
  readonly param?: string | undefined
  readonly code?: string | undefined
  readonly retryAfterMs?: number | undefined
}

const MAX_ERROR_BYTES = 64 * 1024
const ERROR_BODY_TIMEOUT_MS = 5_000
/** Characters of a server's message that are passed on. */
const MAX_MESSAGE = 500
/** What a server that says nothing should get to recover. */
const USUAL_RETRY_MS = 1_000
const MAX_RETRY_MS = 60 * 60_000

/** A server says with these that it has no such route. */
export const noRoute: ReadonlySet<number> = new Set([404, 405, 501])

/** Names a server at the start of a sentence. */
export const titleOf = ({ model, server }: Pick<ServerNames, 'model' | 'server'>): string =>
  `The server of the model '${model}' (${server})`

/** Reads a response that is no answer. `judge` decides what its error means. */
export async function responseFailure(
  response: IncomingMessage,
  names: ServerNames,
  judge: typeof failureOf = failureOf,
): Promise<Failure> {
  const status = response.statusCode ?? 0
  if (status >= 300 && status < 400) {
    response.destroy()
    return redirected(names)
  }
  const text = await readBody(response, { maxBytes: MAX_ERROR_BYTES, timeoutMs: ERROR_BODY_TIMEOUT_MS })
  return judge({ status, retryAfterMs: retryAfterOf(response), ...readError(parseJson(text)) }, names)
}

/** Reads the error that a body or an event reports: OpenAI's form, and those of vLLM, FastAPI and others. */
export function readError(body: unknown): Pick<ReportedError, 'message' | 'param' | 'code'> {
  const outer = asRecord(body)
  const inner = asRecord(outer?.['error']) ?? outer
  const message = [inner?.['message'], outer?.['error'], outer?.['detail'], outer?.['message']].find(isText)
  const { param, code } = inner ?? {}
  return { message, param: isText(param) ? param : undefined, code: isText(code) ? code : undefined }
}

/** Decides what an error of a server means for the caller here. */
export function failureOf(reported: ReportedError, names: ServerNames): Failure {
  const { status, code } = reported
  const of = titleOf(names)
  const said = quote(reported.message, names)
  if (status === 401 || status === 403)
    return new Failure(
      new ModelUnavailableError(
        `${of} refuses this server's key. Set apiKey of the model in the configuration.`,
      ),
      { retry: 'elsewhere', serverProblem: `refuses the key (${status})` },
    )
  if (status === 429) return busy(of, said, reported)
  if (status === 404 || status === 405)
    return new Failure(
      new ModelUnavailableError(
        `${of} does not know the address or the model${said} Check baseUrl and model in the configuration.`,
      ),
      {
        retry: 'elsewhere',
      },
    )
  if (status >= 400 && status < 500 && status !== 408 && status !== 425)
    return new Failure(refused(of, said, reported), { retry: 'nowhere' })
  const what = code === undefined && status === 0 ? 'reports an error' : `answers with the status ${status}`
  const retryAfterMs =
    reported.retryAfterMs === undefined ? undefined : Math.min(reported.retryAfterMs, MAX_RETRY_MS)
  const error = new ModelUnavailableError(`${of} ${what}${said} Try again in a moment.`, { retryAfterMs })
  return new Failure(error, { retry: 'anywhere', retryAfterMs })
}

function busy(of: string, said: string, { retryAfterMs = USUAL_RETRY_MS }: ReportedError): Failure {
  const wait = Math.min(retryAfterMs, MAX_RETRY_MS)
  const error = new CapacityError(`${of} is busy${said} Try again later.`, { retryAfterMs: wait })
  return new Failure(error, { retry: 'anywhere', retryAfterMs: wait })
}

/** The request itself is at fault: its sender must know the server's own words. */
function refused(
  of: string,
  said: string,
  { status, param, code, message = '' }: ReportedError,
): EngineError {
  const text = `${of} refuses the request${said}`
  const isTooLong =
    code === 'context_length_exceeded' || /context (length|size|window)|too many tokens/i.test(message)
  if (isTooLong) {
    const [maximum = 0, requested = 0] = [...message.matchAll(/\d+/g)]
      .map(([digits]) => Number(digits))
      .sort((a, b) => a - b)
      .slice(-2)
    return new ContextLengthError(requested, maximum, text)
  }
  return new InvalidRequestError(text, {
    param,
    reason: status === 413 ? 'request_too_large' : (code ?? 'invalid_value'),
  })
}

const redirected = (names: ServerNames): Failure =>
  new Failure(
    new ModelUnavailableError(
      `${titleOf(names)} redirects to another address, and redirects are not followed: the ` +
        'request and the key are for that server alone. Set baseUrl to the final address.',
    ),
    { retry: 'elsewhere', serverProblem: 'redirects to another address' },
  )

/** A server's own words, in one line, as the end of a sentence. A key is never repeated. */
export function quote(message: string | undefined, { apiKey }: Pick<ServerNames, 'apiKey'>): string {
  if (message === undefined) return '.'
  const text = (apiKey === undefined ? message : message.replaceAll(apiKey, '***'))
    // Control characters must not reach a terminal.
    .replaceAll(/[\s\u0000-\u001f\u007f]+/g, ' ')
    .trim()
  if (text === '') return '.'
  const shown = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text
  return `: ${shown}${/[.!?…]$/.test(shown) ? '' : '.'}`
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const asRecord = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
