import { randomBytes } from 'node:crypto'
import { ModelUnavailableError } from '@petals-chat/engine'

/** Names this process among the servers that a request passes. */
const self = `petals-chat-${randomBytes(4).toString('hex')}`

/** Longer ones are no trace of servers, but an attempt to fill the next server's limit on headers. */
const MAX_LENGTH = 2_000

/**
 * The header `Via` (RFC 9110, section 7.6.3) for the next server: that of the request, and this process.
 * @throws ModelUnavailableError if the request has passed this process before
 */
export function viaOf(model: string, received: string | undefined): string {
  const passed = received?.slice(0, MAX_LENGTH)
  if (passed?.includes(self))
    throw new ModelUnavailableError(
      `The server of the model '${model}' asks this server for its answer: they would ask each other forever. ` +
        'Set baseUrl to the server that runs the model.',
    )
  return passed === undefined ? `1.1 ${self}` : `${passed}, 1.1 ${self}`
}
