import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './hub-faults.ts'

export interface Content {
  readonly bytes: Uint8Array
  readonly etag: string
  readonly headers: Readonly<Record<string, string>>
  readonly fault: Fault | undefined
}

/** Sends a file with `Range`, `If-Range` and 416 as in RFC 9110, or with the fault. */
export async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  content: Content,
): Promise<void> {
  const { etag, fault } = content
  const bytes = corrupt(content.bytes, fault)
  const range = fault?.ignoreRange ? undefined : requestedRange(request, etag, bytes.length)
  const headers = {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag,
    ...content.headers,
  }
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${bytes.length}` }).end()
    return
  }
  const [start, end] = range ?? [0, bytes.length]
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    'content-length': end - start,
    ...(range !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
  })
  if (request.method === 'HEAD') response.end()
  else await sendBody(response, bytes.subarray(start, end), fault)
}

function corrupt(bytes: Uint8Array, fault: Fault | undefined): Uint8Array {
  if (fault?.body !== undefined) return Buffer.from(fault.body)
  if (!fault?.corrupt) return bytes
  const corrupted = Uint8Array.from(bytes)
  const middle = bytes.length >> 1
  corrupted[middle] = (corrupted[middle] ?? 0) ^ 0xff
  return corrupted
}

/** Returns `[start, end)`; undefined: the whole file. */
function requestedRange(
  { headers }: IncomingMessage,
  etag: string,
  size: number,
): readonly [number, number] | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
  if (first === undefined) return undefined
  if (headers['if-range'] !== undefined && headers['if-range'] !== etag) return undefined
  const start = Number(first)
  const end = last ? Math.min(Number(last) + 1, size) : size
  return start >= size || end <= start ? 'unsatisfiable' : [start, end]
}

async function sendBody(
  response: ServerResponse,
  bytes: Uint8Array,
  fault: Fault | undefined,
): Promise<void> {
  const isHanging = fault?.hangAfterBytes !== undefined
  // A client that disconnects in the middle, or is to be cut off, ends this too.
  await pipeline(Readable.from(paced(bytes, fault)), response, { end: !isHanging }).catch(() => {})
}

async function* paced(bytes: Uint8Array, fault: Fault | undefined): AsyncGenerator<Uint8Array> {
  const stopAt = fault?.cutAfterBytes ?? fault?.hangAfterBytes ?? bytes.length
  const step =
    fault?.bytesPerSecond === undefined ? 64 * 1024 : Math.max(1, Math.ceil(fault.bytesPerSecond / 20))
  for (let position = 0; position < Math.min(bytes.length, stopAt); position += step) {
    yield bytes.subarray(position, Math.min(position + step, stopAt))
    if (fault?.bytesPerSecond !== undefined) await sleep(50)
  }
  if (fault?.cutAfterBytes === undefined || stopAt >= bytes.length) return
  // Waits until the written bytes have been sent: the client must see them before the cut.
  await sleep(200)
  throw new Error('cut')
}
