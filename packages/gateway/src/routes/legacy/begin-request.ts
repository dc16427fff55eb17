import type { GatewayContext } from '../../context.ts'
import type { Allowance } from '../../limits/allowance.ts'
import type { WebSocketConnection } from '../../server/websocket-server.ts'

/** One `generate` message of a WebSocket, as limits and traces count it. */
export interface CountedRequest extends Disposable {
  readonly allowance: Allowance
}

/** Begins to count and to trace a `generate` message. @throws RateLimitError */
export async function beginRequest(
  { limiter, tracing }: Pick<GatewayContext, 'limiter' | 'tracing'>,
  { quota, requestId }: Pick<WebSocketConnection, 'quota' | 'requestId'>,
): Promise<CountedRequest> {
  const trace = tracing?.startRequest({
    method: 'GET',
    route: '/api/v2/generate',
    traceparent: undefined,
    requestId,
  })
  try {
    const allowance = await limiter.allowanceOf(quota, trace)
    await allowance.countRequest()
    return { allowance, [Symbol.dispose]: () => trace?.end(101) }
  } catch (error) {
    trace?.end(429)
    throw error
  }
}
