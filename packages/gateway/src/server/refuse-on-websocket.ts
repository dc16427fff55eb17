import type { WebSocket } from 'ws'
import { describeError, type ErrorDescription, type ErrorForm, legacyErrorBody } from '../error-response.ts'

/** Close codes of IANA's registry: of a server that has no room now, and those that stand for a status of HTTP. */
export const TRY_AGAIN_LATER = 1013
const MESSAGE_TOO_BIG = 1009
const POLICY_VIOLATION = 1008
const UNAUTHORIZED = 3000
const FORBIDDEN = 3003

const closeCodes: Readonly<Partial<Record<ErrorForm['status'], number>>> = {
  401: UNAUTHORIZED,
  403: FORBIDDEN,
  413: MESSAGE_TOO_BIG,
  429: TRY_AGAIN_LATER,
  503: TRY_AGAIN_LATER,
}

/** Milliseconds that a client has to read why its socket is closed. */
const CLOSE_MS = 500

/** Tells a client in words why its socket was never served, closes it with the code of the error, and ends it soon. */
export function refuseOnWebSocket(webSocket: WebSocket, error: unknown, requestId: string): ErrorDescription {
  const description = describeError(error, requestId)
  webSocket.send(JSON.stringify(legacyErrorBody(description)))
  webSocket.close(closeCodes[description.status] ?? POLICY_VIOLATION)
  terminateSoon(webSocket)
  return description
}

export function terminateSoon(webSocket: WebSocket): void {
  setTimeout(() => webSocket.terminate(), CLOSE_MS).unref()
}
