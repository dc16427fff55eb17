import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { GatewayApp } from '../context.ts'
import { describeError, openAIErrorBody } from '../error-response.ts'
import { GatewayError } from '../errors.ts'
import { chooseRequestId } from '../middleware/request-context.ts'
import { tellingOfClose } from './early-answers.ts'
import { sendingText } from './send-text.ts'

/** Lets an app answer the requests of a server of Node. */
export function requestListener(app: Pick<GatewayApp, 'fetch'>): RequestListener {
  const listener = getRequestListener(sendingText(tellingOfClose(app.fetch)), {
    // A library should not replace the process's Request and Response.
    overrideGlobalObjects: false,
    errorHandler: malformedRequestResponse,
  })
  return (incoming, outgoing) => void listener(incoming, outgoing)
}

/** Responds to a request whose Host header or URL is invalid, so that the adapter can't create a Request. */
function malformedRequestResponse(error: unknown): Response {
  const reason = error instanceof Error ? error.message : 'unknown'
  const message = `The request line or the Host header is not well-formed: ${reason}.`
  const requestId = chooseRequestId(undefined)
  const description = describeError(new GatewayError('bad_request', message), requestId)
  return Response.json(openAIErrorBody(description), {
    status: description.status,
    headers: { connection: 'close', 'x-request-id': requestId },
  })
}
