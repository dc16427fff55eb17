import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection that ignores its errors. */
export async function open(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {})
  socket.resume()
  return socket
}

export const openMany = (url: string, count: number): Promise<Socket[]> =>
  Promise.all(Array.from({ length: count }, () => open(url)))

/** Opens the WebSocket of /api/v2/generate without a client that answers pings. */
export async function openSilentWebSocket(url: string): Promise<Socket> {
  const socket = await open(url)
  socket.write(
    'GET /api/v2/generate HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  await once(socket, 'data')
  return socket
}

/** A masked frame of a text message. */
export function frame(payload: string, { opcode = 1, isLast = true } = {}): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14)
  head[0] = (isLast ? 0x80 : 0) | opcode
  head[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (length >= 65_536) head.writeBigUInt64BE(BigInt(length), 2)
  else if (length >= 126) head.writeUInt16BE(length, 2)
  return Buffer.concat([head, Buffer.from(payload)])
}

const closed = async (socket: Socket): Promise<void> => {
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
}

/** Resolves when the server has closed all of them. */
export async function allClosed(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map(closed))
}
