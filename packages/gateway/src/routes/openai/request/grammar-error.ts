import { InvalidRequestError } from '@petals-chat/engine'

/** An engine that can't read a grammar knows nothing of the field that it was made from. */
export function inWordsOfRequest(error: unknown, param: string | undefined): unknown {
  if (!(error instanceof InvalidRequestError) || error.param !== 'grammar' || param === undefined)
    return error
  return new InvalidRequestError(error.message, { param, reason: 'invalid_json_schema', cause: error })
}
