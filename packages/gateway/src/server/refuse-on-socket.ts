import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { describeError, type ErrorDescription, errorHeaders, openAIErrorBody } from '../error-response.ts'

export interface SocketRefusal {
  readonly requestId: string
  /** Default: the body that clients of OpenAI read. */
  readonly body?: (description: ErrorDescription) => object
}

/** Refuses in words a request that no route will see, and closes its connection. The only place that writes a response on a socket. */
export function refuseOnSocket(
  socket: Duplex,
  error: unknown,
  { requestId, body = openAIErrorBody }: SocketRefusal,
): ErrorDescription {
  const description = describeError(error, requestId)
  const text = JSON.stringify(body(description))
  const headers = {
    connection: 'close',
    'content-type': 'application/json',
    ...errorHeaders(description),
    'x-request-id': requestId,
    'content-length': Buffer.byteLength(text),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const { status } = description
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`, () =>
    socket.destroy(),
  )
  return description
}
