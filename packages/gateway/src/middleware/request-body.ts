import type { Context, MiddlewareHandler } from 'hono'
import { GatewayError } from '../errors.ts'

/** Refuses bodies of more than `maxBytes`: by their declared length, or while they are read where none is declared. */
export function requestBody(maxBytes: number): MiddlewareHandler {
  return async (c, next) => {
    const { headers } = c.req.raw
    if (Number(headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
    if (headers.has('transfer-encoding') && c.req.raw.body !== null)
      await bufferBody(c, c.req.raw.body, maxBytes)
    await next()
  }
}

async function bufferBody(c: Context, body: ReadableStream<Uint8Array>, maxBytes: number): Promise<void> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  const { method, headers, signal } = c.req.raw
  c.req.raw = new Request(c.req.url, { method, headers: [...headers], signal, body: Buffer.concat(chunks) })
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    'request_too_large',
    `The request body is longer than the ${maxBytes} bytes that this server takes (server.maxBodyBytes).`,
  )
}
