import { AuthenticationError } from '../errors.ts'
import type { CallerRequest } from './access.ts'

/** Browsers can't set the headers of a WebSocket, so a key may stand in its list of subprotocols. */
export const KEY_PROTOCOL = 'petals-chat.key.'

/**
 * Returns the API key of a request: `Authorization: Bearer`, `x-api-key`, `api-key`, or on a WebSocket the subprotocol
 * `petals-chat.key.KEY`. All of them mean the same. Another scheme of Authorization is of no concern here.
 * @throws AuthenticationError if the request has two different keys: a proxy may have checked the other one.
 */
export function presentedKey(request: Pick<CallerRequest, 'header'>): string | undefined {
  const [key, ...others] = presentedKeys(request)
  if (others.length > 0)
    throw new AuthenticationError('invalid_api_key', 'The request has two different API keys. Send only one.')
  return key
}

/** Returns the different API keys of a request. */
function presentedKeys({ header }: Pick<CallerRequest, 'header'>): readonly string[] {
  const [, bearer] = /^bearer +(.+)$/i.exec(header('authorization')?.trim() ?? '') ?? []
  const protocols = header('sec-websocket-protocol')?.split(',') ?? []
  const protocol = protocols.map((name) => name.trim()).find((name) => name.startsWith(KEY_PROTOCOL))
  const all = [bearer, header('x-api-key'), header('api-key'), protocol?.slice(KEY_PROTOCOL.length)]
  return [...new Set(all.map((value) => value?.trim() ?? '').filter((value) => value !== ''))]
}
