import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw, type InputType, zstdDecompress } from 'node:zlib'
import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { hasRoute } from '../access/route-scope.ts'
import { GatewayError } from '../errors.ts'
import type { MemoryBudget, Reservation } from '../memory-budget.ts'
import type { RequestEnv } from './request-context.ts'

export interface BodyLimits {
  /** Greatest size of a body. */
  readonly maxBytes: number
  /** What all bodies may take together while their requests are being answered. */
  readonly budget: MemoryBudget
}

/** Smaller bodies fit the buffers that their connections have anyway. */
const COUNTED_BYTES = 64 * 1024

/**
 * Refuses bodies of more than `maxBytes`: by their declared length, or while they arrive if none is declared. Compressed
 * bodies are decompressed, and their decompressed size counts. A body takes its share of the budget as it arrives: one that
 * is only announced takes none. Where nothing is served, it is not read.
 */
export function requestBody({ maxBytes, budget }: BodyLimits): MiddlewareHandler<RequestEnv> {
  return async (c, next) => {
    const { headers } = c.req.raw
    const declared = Number(headers.get('content-length') ?? 0)
    if (declared > maxBytes) throw tooLarge(maxBytes)
    const codings = contentCodings(headers.get('content-encoding'))
    const isCounted = codings.length > 0 || headers.has('transfer-encoding') || declared > COUNTED_BYTES
    // The adapter of Hono reads a body in one piece only if it was not looked at before; as a stream, it takes many times as long.
    if (!isCounted || !hasRoute(matchedRoutes(c).map(({ path }) => path))) return next()
    using reservation = budget.open()
    const body = bodyOf(c)
    if (body !== null) {
      const bytes = await readAll(body, { maxBytes, reservation })
      const decoded = await decode(bytes, codings, maxBytes)
      if (decoded !== bytes) reservation.grow(decoded.length)
      replaceBody(c, decoded)
    }
    await next()
  }
}

/** Returns the body as it arrives. Leaving it early leaves its connection open, on which the refusal is sent. */
function bodyOf({ env, req }: Context<RequestEnv>): AsyncIterable<Uint8Array> | null {
  if (req.method === 'GET' || req.method === 'HEAD') return null
  return env?.incoming?.iterator({ destroyOnReturn: false }) ?? req.raw.body
}

interface ReadLimits {
  readonly maxBytes: number
  readonly reservation: Reservation
}

async function readAll(
  body: AsyncIterable<Uint8Array>,
  { maxBytes, reservation }: ReadLimits,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) throw tooLarge(maxBytes)
    reservation.grow(chunk.length)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function replaceBody(c: Context<RequestEnv>, body: Buffer): void {
  const { method, headers, signal } = c.req.raw
  const kept = [...headers].filter(([name]) => name !== 'content-encoding' && name !== 'content-length')
  c.req.raw = new Request(c.req.url, { method, headers: kept, signal, body: Uint8Array.from(body) })
}

/** Every decoder stops at the limit, however small a decompression bomb is. */
type Decoder = (bytes: InputType, options: { readonly maxOutputLength: number }) => Promise<Buffer>

/** `deflate` is zlib's format; some clients send only its raw stream, which begins with another byte. */
const decodeDeflate: Decoder = (bytes, options) =>
  isZlib(bytes as Buffer) ? promisify(inflate)(bytes, options) : promisify(inflateRaw)(bytes, options)

const isZlib = (bytes: Buffer): boolean =>
  bytes.length > 1 && (bytes[0]! & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: decodeDeflate,
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
}

/** The supported codings, for error messages. */
const supportedCodings = 'gzip, deflate, br, zstd'

/** Returns the codings in the order in which they were applied. A body needs one; only hostile clients send more than two. */
function contentCodings(header: string | null): readonly string[] {
  const codings = (header ?? '')
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity')
  const unknown = codings.find((coding) => !Object.hasOwn(decoders, coding))
  if (unknown === undefined && codings.length <= 2) return codings
  throw new GatewayError(
    'unsupported_media_type',
    `The body can't be decoded: Content-Encoding '${(header ?? '').slice(0, 100)}' is not supported. ` +
      `Send it without a coding, or with one of ${supportedCodings}.`,
  )
}

async function decode(body: Buffer, codings: readonly string[], maxBytes: number): Promise<Buffer> {
  let bytes = body
  for (const coding of codings.toReversed()) {
    try {
      bytes = await decoders[coding]!(bytes, { maxOutputLength: maxBytes })
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException | undefined)?.code
      if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes)
      throw new GatewayError('bad_request', `The body does not match its Content-Encoding (${coding}).`, {
        cause,
      })
    }
  }
  return bytes
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    'request_too_large',
    `The request body is longer than the ${maxBytes} bytes that this server accepts (server.maxBodyBytes).`,
  )
}
