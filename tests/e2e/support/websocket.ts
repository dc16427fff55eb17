import WebSocket from 'ws'

export interface LegacyMessage {
  readonly ok: boolean
  readonly outputs?: string
  readonly stop?: boolean
  readonly token_count?: number
  readonly traceback?: string
}

export interface LegacySocket extends Disposable {
  readonly socket: WebSocket
  send(message: object): void
  /** The next answer, or undefined once the server has closed the connection. */
  receive(): Promise<LegacyMessage | undefined>
}

/** A client of `/api/v2/generate`. */
export async function connectLegacy(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<LegacySocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/api/v2/generate`, { headers })
  const messages: LegacyMessage[] = []
  const waiting: ((message: LegacyMessage | undefined) => void)[] = []
  let closed = false
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as LegacyMessage
    const next = waiting.shift()
    if (next) next(message)
    else messages.push(message)
  })
  socket.on('close', () => {
    closed = true
    for (const next of waiting.splice(0)) next(undefined)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return {
    socket,
    send: (message) => socket.send(JSON.stringify(message)),
    receive() {
      const message = messages.shift()
      if (message !== undefined || closed) return Promise.resolve(message)
      return new Promise((resolve) => waiting.push(resolve))
    },
    [Symbol.dispose]: () => socket.terminate(),
  }
}
