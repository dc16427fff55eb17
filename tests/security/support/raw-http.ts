import { connect, type Socket } from 'node:net'

/** A server that waits for more of a request says nothing more: this ends the wait. */
const SILENCE_MS = 10_000

/** Sends bytes unchanged, as no HTTP library would, and returns all that comes back until the server closes. */
export async function exchange(url: string, request: string | Buffer): Promise<string> {
  const socket = openSocket(url)
  let received = ''
  socket.on('data', (chunk) => (received += chunk.toString('latin1')))
  // A server that refuses a request resets the connection that is still sending it.
  socket.on('error', () => {})
  socket.setTimeout(SILENCE_MS, () => socket.destroy())
  socket.write(request)
  await closed(socket)
  return received
}

/** Resolves when the connection is gone, by whichever side and however. */
export const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())))

export function openSocket(url: string): Socket {
  const { hostname, port } = new URL(url)
  return connect(Number(port), hostname)
}

/** The status codes of all responses in what `exchange` returned. */
export const statusesOf = (received: string): readonly number[] =>
  [...received.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => Number(status))

export interface RawRequest {
  readonly method?: string
  readonly target: string
  readonly host: string
  readonly headers?: readonly string[]
  readonly body?: string
}

/** The text of a request whose connection ends after its answer. */
export function rawRequest({ method = 'GET', target, host, headers = [], body = '' }: RawRequest): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...headers, ...length, 'Connection: close']
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
