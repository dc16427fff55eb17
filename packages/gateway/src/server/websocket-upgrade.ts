import type { IncomingMessage } from 'node:http'
import { routedPath } from '../request-path.ts'

/** The paths of WebSockets. */
export const webSocketPaths = { generate: '/api/v2/generate' } as const

const paths: ReadonlySet<string> = new Set(Object.values(webSocketPaths))

/** Reports whether a request asks for a WebSocket where there is one. Others are served as plain requests. */
export const isWebSocketUpgrade = (request: IncomingMessage, basePath: string): boolean =>
  request.headers.upgrade?.toLowerCase() === 'websocket' && paths.has(upgradePath(request, basePath))

/** The path that a request for a WebSocket is routed by. */
export const upgradePath = (request: IncomingMessage, basePath: string): string =>
  routedPath(requestedPath(request), basePath)

/** The path of a request as its client wrote it. */
export const requestedPath = (request: IncomingMessage): string => request.url?.split('?', 1)[0] ?? ''
