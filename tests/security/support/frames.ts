import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { closed, openSocket, rawRequest } from './raw-http.ts'

const key = randomBytes(16).toString('base64')

export interface UpgradeOptions {
  readonly headers?: readonly string[]
}

/** Asks for a WebSocket with bytes of our own; resolves with the head of the answer. */
export async function upgrade(
  url: string,
  { headers = [] }: UpgradeOptions = {},
): Promise<{ readonly socket: Socket; readonly head: string }> {
  const socket = openSocket(url)
  const request = rawRequest({
    target: '/api/v2/generate',
    host: new URL(url).host,
    headers: [
      ...['Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`, ...headers],
    ],
  })
  socket.on('error', () => {})
  socket.write(request.replace('Connection: close', 'Connection: Upgrade'))
  const head = await new Promise<string>((resolve) => {
    socket.once('data', (chunk) => resolve(chunk.toString('latin1')))
    socket.once('close', () => resolve(''))
  })
  return { socket, head }
}

/** A masked frame of a client with up to 125 bytes. `opcode` 0 continues a message. */
export function frame(payload: Buffer, { opcode = 1, fin = true } = {}): Buffer {
  const mask = Buffer.alloc(4)
  return Buffer.concat([Buffer.of((fin ? 0x80 : 0) | opcode, 0x80 | payload.length), mask, payload])
}

/** The code of the close frame with which the server ended the connection; 1006 if it sent none. */
export async function closeCode(socket: Socket): Promise<number> {
  let received = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => (received = Buffer.concat([received, chunk]).subarray(-256)))
  await closed(socket)
  const at = received.lastIndexOf(0x88)
  return at === -1 ? 1006 : received.readUInt16BE(at + 2)
}
