import { isUtf8 } from 'node:buffer'
import type { HonoRequest } from 'hono'
import { GatewayError } from './errors.ts'

const BYTE_ORDER_MARKS = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
] as const

/**
 * Decodes a body by its byte order mark, otherwise by the charset of its content type, otherwise as UTF-8. Without a mark
 * and a charset, JSON in UTF-16 is recognized by its zero bytes (RFC 4627).
 * @throws GatewayError if the charset is unknown, or the body does not match it.
 */
export async function bodyText(request: Pick<HonoRequest, 'arrayBuffer' | 'header'>): Promise<string> {
  const bytes = new Uint8Array(await request.arrayBuffer())
  const declared = charsetOf(request.header('content-type'))
  const charset = charsetByMark(bytes) ?? declared ?? charsetByZeros(bytes)
  if (charset === 'utf-8' && !isUtf8(bytes)) throw wrongCharset(charset, declared)
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes)
  } catch (error) {
    throw error instanceof RangeError ? unknownCharset(charset) : wrongCharset(charset, declared)
  }
}

/** Returns `charset` of a content type in lower case. A comma separates two headers that a proxy has joined. */
function charsetOf(contentType: string | undefined): string | undefined {
  const [, quoted, single, token] =
    /;\s*charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,]+))/i.exec(contentType ?? '') ?? []
  const charset = (quoted ?? single ?? token)?.toLowerCase()
  return charset === 'utf8' ? 'utf-8' : charset
}

const charsetByMark = (bytes: Uint8Array): string | undefined =>
  BYTE_ORDER_MARKS.find(([, mark]) => mark.every((byte, index) => bytes[index] === byte))?.[0]

/** JSON begins with an ASCII character. */
function charsetByZeros([first, second]: Uint8Array): string {
  if (first === 0 && second !== 0) return 'utf-16be'
  return first !== undefined && first !== 0 && second === 0 ? 'utf-16le' : 'utf-8'
}

function unknownCharset(charset: string): GatewayError {
  return new GatewayError(
    'unsupported_media_type',
    `The body can't be read: the charset '${charset.slice(0, 50)}' is not supported. Send UTF-8.`,
  )
}

function wrongCharset(charset: string, declared: string | undefined): GatewayError {
  const advice =
    declared === undefined
      ? 'Send UTF-8, or declare the charset: Content-Type: application/json; charset=iso-8859-1.'
      : 'Send UTF-8, or declare the charset of the body.'
  return new GatewayError('bad_request', `The body is not ${charset.slice(0, 50)}. ${advice}`)
}
