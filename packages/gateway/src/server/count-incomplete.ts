import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { MemoryBudget } from '../memory-budget.ts'
import { terminateSoon, TRY_AGAIN_LATER } from './refuse-on-websocket.ts'

/** What a packet that is kept takes beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 128

/** Two bytes and the mask, in front of a ping or pong of a client. */
const CONTROL_HEADER_BYTES = 6

/** Lets the messages of a WebSocket take their share of the budget while they arrive, too. */
export function countIncomplete(webSocket: WebSocket, socket: Socket, budget: MemoryBudget): void {
  const reservation = budget.open()
  let chunk = { length: 0, control: 0 }
  // Before ws, whose `message` event ends the count.
  socket.prependListener('data', ({ length }: Buffer) => {
    chunk = { length, control: 0 }
    if (reservation.tryGrow(length + CHUNK_OVERHEAD_BYTES)) return
    webSocket.close(TRY_AGAIN_LATER)
    // What is on its way would not be counted.
    webSocket.pause()
    terminateSoon(webSocket)
  })
  const restart = () => reservation[Symbol.dispose]()
  // A chunk of nothing but pings and pongs is no part of a message: an idle socket would count them for ever.
  const uncount = ({ length }: Buffer) => {
    chunk.control += length + CONTROL_HEADER_BYTES
    if (chunk.control === chunk.length) reservation.shrink(chunk.length + CHUNK_OVERHEAD_BYTES)
  }
  webSocket.on('ping', uncount)
  webSocket.on('pong', uncount)
  webSocket.on('message', restart)
  socket.once('close', restart)
}
