import { isKeyToken } from '@petals-chat/access'
import { z } from 'zod'
import { AuthenticationError } from '../../errors.ts'
import type { CallerRequest, CallerSource } from '../access.ts'
import type { Caller } from '../caller.ts'

const headerSchema = z
  .string()
  .regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header, such as X-Forwarded-User')
  .toLowerCase()

/** The `proxy:` section: a proxy in front has signed the user in, and says in a header who it is. */
export const proxyUsersSchema = z.strictObject({
  userHeader: headerSchema.describe(
    'The header in which the proxy names its user, for example X-Forwarded-User. It counts only on connections from ' +
      '`server.trustedProxies`; the proxy must remove it from what clients send.',
  ),
  nameHeader: headerSchema
    .optional()
    .describe('The header with a name for people to read, for example X-Forwarded-Preferred-Username.'),
  signOutUrl: z
    .string()
    .regex(/^(\/(?!\/)|https?:\/\/)\S*$/, 'must be a path such as /oauth2/sign_out, or an http address')
    .optional()
    .describe('Where the page goes to sign out: at the proxy, since the proxy signs in.'),
})

export type ProxyUsersConfig = Readonly<z.output<typeof proxyUsersSchema>>

export interface ProxyUsersOptions {
  readonly config: ProxyUsersConfig
  /** Reports whether the other end of a connection is a trusted proxy. */
  readonly isTrusted: (remoteAddress: string | undefined) => boolean
  /** Returns what a user may do. */
  readonly callerOf: (user: { readonly id: string; readonly name: string }) => Caller
}

/** One user, in printable characters. Commas are what two headers of one name become. */
const USER = /^[^\p{Cc}\p{Cf},]{1,200}$/u

/** Identifies callers by what a trusted proxy says. From any other address, the header is as good as none. */
export function proxyUsers({ config, isTrusted, callerOf }: ProxyUsersOptions): CallerSource {
  return {
    identify(request: CallerRequest): Caller | undefined {
      if (!isTrusted(request.remoteAddress)) return undefined
      const user = valueOf(request, config.userHeader)
      if (user === undefined || user === '') return undefined
      if (!USER.test(user)) throw unclearUser(config.userHeader)
      const name = config.nameHeader && valueOf(request, config.nameHeader)
      return callerOf({ id: `proxy:${user}`, name: name && USER.test(name) ? name : user })
    },
  }
}

/**
 * Hides from a source of API keys what a trusted proxy sends with the user that it names. oauth2-proxy, for example, passes
 * on its own token of the user as `Authorization: Bearer`. A key of this server still counts, and is refused if it is wrong.
 */
export const besideProxyTokens = (
  keys: CallerSource,
  { config, isTrusted }: Pick<ProxyUsersOptions, 'config' | 'isTrusted'>,
): CallerSource => ({
  identify(request) {
    const namesUser = isTrusted(request.remoteAddress) && Boolean(valueOf(request, config.userHeader))
    return keys.identify(namesUser ? withoutForeignToken(request) : request)
  },
})

function withoutForeignToken(request: CallerRequest): CallerRequest {
  const token = request
    .header('authorization')
    ?.replace(/^bearer +/i, '')
    .trim()
  if (token === undefined || isKeyToken(token)) return request
  return { ...request, header: (name) => (name === 'authorization' ? undefined : request.header(name)) }
}

/** Node reads headers as Latin-1; proxies write UTF-8. */
const valueOf = (request: CallerRequest, header: string): string | undefined => {
  const value = request.header(header)
  return value === undefined ? undefined : Buffer.from(value, 'latin1').toString('utf8').trim()
}

const unclearUser = (header: string): AuthenticationError =>
  new AuthenticationError(
    'invalid_api_key',
    `The header ${header} of the proxy does not name exactly one user. Configure the proxy to replace what clients send in it.`,
  )
