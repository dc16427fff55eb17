import type { AbortOptions, Logger } from '@petals-chat/engine'
import { ModelSourceError } from '../errors.ts'
import { type HubHttp, type HubResponse, HttpStatusError } from './hub-http.ts'
import { TransientError, describeNetworkError } from './network-error.ts'
import { Retries, type RetryPolicy } from './retry.ts'

export interface ByteRequest extends AbortOptions {
  readonly http: HubHttp
  readonly url: string
  /** For messages. */
  readonly label: string
  /** Bytes [start, end) are wanted. */
  readonly start: number
  readonly end: number
  /** Size of the whole file, where known. */
  readonly sizeBytes?: number | undefined
  /** A strong ETag that `url` itself answers with, where known: bytes of another version are then refused. */
  readonly validator?: string | undefined
  readonly policy: RetryPolicy & { readonly stallTimeoutMs: number }
  readonly logger: Logger
}

/**
 * Yields bytes [start, end) of a file, in order. A broken or stalled connection is resumed where it stopped, with `Range`
 * and `If-Range`; after several failures without a byte in between, it fails. A server without support for ranges sends
 * the whole file, and the other part is dropped.
 * @throws TransientError after too many failures, HttpStatusError, ModelSourceError (`corrupt`) if the file differs
 */
export async function* readBytes(request: ByteRequest): AsyncGenerator<Uint8Array, void, void> {
  const retries = new Retries(request.policy, request.logger)
  let position = request.start
  let validator = request.validator
  while (position < request.end) {
    try {
      const body = await openBody(request, position, validator)
      validator = body.validator ?? validator
      for await (const chunk of body.chunks) {
        position += chunk.length
        retries.reset()
        yield chunk
      }
      if (position < request.end) throw new TransientError('the connection was closed before the end')
    } catch (error) {
      await retries.pause(error, request.label, request)
    }
  }
}

interface Body {
  readonly chunks: AsyncIterable<Uint8Array>
  readonly validator: string | undefined
}

async function openBody(
  request: ByteRequest,
  position: number,
  validator: string | undefined,
): Promise<Body> {
  const isWhole = position === 0 && request.end === request.sizeBytes
  const stall = new AbortController()
  const signal = request.signal === undefined ? stall.signal : AbortSignal.any([request.signal, stall.signal])
  const headers = {
    ...(!isWhole && { range: `bytes=${position}-${request.end - 1}` }),
    ...(!isWhole && validator !== undefined && { 'if-range': validator }),
  }
  const answer = await request.http.send(request.url, { headers, signal }).catch((error: unknown) => {
    throw unsatisfiable(request, error) ?? error
  })
  try {
    const skip = position - firstByte(request, answer, position, validator)
    const chunks = readChunks(request, answer.response, { skip, take: request.end - position, stall })
    return { chunks, validator: strongEtag(answer.response) }
  } catch (error) {
    // The response is useless, so its connection is closed.
    stall.abort()
    throw error
  }
}

/** Explains 416: the server's file is shorter than its description says. */
function unsatisfiable(request: ByteRequest, error: unknown): ModelSourceError | undefined {
  if (!(error instanceof HttpStatusError) || error.status !== 416) return undefined
  const size = /^bytes \*\/(\d+)$/.exec(error.headers.get('content-range') ?? '')?.[1]
  const found = size === undefined ? '' : `: the server's file has ${size} bytes`
  return new ModelSourceError(
    'corrupt',
    `${request.label} can't be read from byte ${request.start} to ${request.end} (416)${found}. The file differs from its description.`,
  )
}

/** Returns the position of a response's first byte in the file. @throws ModelSourceError if it is another file */
function firstByte(
  request: ByteRequest,
  { response }: HubResponse,
  position: number,
  validator?: string,
): number {
  if (response.status !== 206) return requireSameFile(request, response, position > 0 ? validator : undefined)
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '')
  const [, first, size = '*'] = range ?? []
  if (first === undefined || Number(first) !== position) {
    throw new TransientError(`the server sent bytes from ${first ?? '?'} on instead of from ${position}`)
  }
  requireSize(request, size === '*' ? undefined : Number(size))
  return position
}

/** Handles a response with the whole file: the server does not support ranges, or `If-Range` found another version. */
function requireSameFile(request: ByteRequest, response: Response, validator: string | undefined): 0 {
  const etag = strongEtag(response)
  if (validator !== undefined && etag !== undefined && etag !== validator) {
    throw new ModelSourceError(
      'corrupt',
      `${request.label} has changed on the server during the download. Run again.`,
    )
  }
  const length = response.headers.get('content-length')
  requireSize(request, length === null ? undefined : Number(length))
  return 0
}

function requireSize({ label, sizeBytes }: ByteRequest, found: number | undefined): void {
  if (sizeBytes === undefined || found === undefined || found === sizeBytes) return
  throw new ModelSourceError(
    'corrupt',
    `${label} has ${found} bytes on the server, ${sizeBytes} were announced; it is not used. Run again, and check the file's page if this persists.`,
  )
}

interface Window {
  /** Bytes before the requested ones. */
  readonly skip: number
  readonly take: number
  /** Ends the attempt when no byte arrives. */
  readonly stall: AbortController
}

async function* readChunks(
  { policy, signal }: ByteRequest,
  response: Response,
  { skip, take, stall }: Window,
): AsyncGenerator<Uint8Array, void, void> {
  // Only a slow server is an error, not a slow reader of the bytes.
  let waiting = true
  const timer = setTimeout(() => waiting && stall.abort(), policy.stallTimeoutMs)
  try {
    for await (const chunk of response.body ?? []) {
      const from = Math.min(skip, chunk.length)
      const wanted = chunk.subarray(from, from + take)
      skip -= from
      take -= wanted.length
      waiting = false
      if (wanted.length > 0) yield wanted
      if (take === 0) return
      waiting = true
      timer.refresh()
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (!stall.signal.aborted) throw new TransientError(describeNetworkError(error), { cause: error })
    throw new TransientError(`no data for ${policy.stallTimeoutMs / 1000} s`, { cause: error })
  } finally {
    clearTimeout(timer)
    stall.abort()
  }
}

const strongEtag = (response: Response): string | undefined => {
  const etag = response.headers.get('etag')
  return etag === null || etag.startsWith('W/') ? undefined : etag
}
