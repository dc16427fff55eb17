import { isUtf8 } from 'node:buffer'
import type { HonoRequest } from 'hono'
import { GatewayError } from './errors.ts'

const BYTE_ORDER_MARKS = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
] as const

/**
 * The text of a body, by its byte order mark, else the charset of its content type, else as UTF-8. Without either, JSON in
 * UTF-16 is known by its zero bytes (RFC 4627).
 * @throws GatewayError if the charset is unknown, or is not what the body is in.
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

/** `charset` of a content type, lower case. Two headers that a proxy has joined are parted by a comma. */
function charsetOf(contentType: string | undefined): string | undefined {
  const [, quoted, single, token] =
    /;\s*charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,]+))/i.exec(contentType ?? '') ?? []
  const charset = (quoted ?? single ?? token)?.toLowerCase()
  return charset === 'utf8' ? 'utf-8' : charset
}

const charsetByMark = (bytes: Uint8Array): string | undefined =>
  BYTE_ORDER_MARKS.find(([, mark]) => mark.every((byte, index) => bytes[index] === byte))?.[0]

/** JSON begins with a character of ASCII. */
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
      ? 'Send UTF-8, or name the charset: Content-Type: application/json; charset=iso-8859-1.'
      : 'Send UTF-8, or name the charset that it is in.'
  return new GatewayError('bad_request', `The body is not ${charset.slice(0, 50)}. ${advice}`)
}
