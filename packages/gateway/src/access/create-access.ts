import type { KeyStore } from '@petals-chat/access'
import type { Logger } from '@petals-chat/engine'
import { proxyTest } from '../client-address.ts'
import type { GatewayConfig } from '../config.ts'
import { ListenError } from '../listen-error.ts'
import { Access, type CallerSource } from './access.ts'
import { KeyCallers } from './key-callers.ts'
import { asksForKeys, type OpenBindConfig, openBindProblem } from './open-bind.ts'
import { besideProxyTokens } from './sign-in/proxy-users.ts'
import type { PageSessionStore } from './sign-in/page-session-store.ts'
import { createSignIn, type SignIn } from './sign-in/sign-in.ts'

/** What decides who may use the server. */
export interface AccessOptions {
  readonly config: Pick<GatewayConfig, 'host' | 'insecurePublic' | 'access' | 'signIn' | 'trustedProxies'>
  /** The API keys; undefined if the configuration wants none. */
  readonly keys?: KeyStore | undefined
  /** Further kinds of credentials. */
  readonly callers?: readonly CallerSource[] | undefined
  /** Where sign-ins are kept; undefined: they end with the process. */
  readonly signIns?: PageSessionStore | undefined
  readonly logger: Logger
}

export interface CreatedAccess {
  readonly access: Access
  /** Undefined if this server asks for no API keys. */
  readonly keyCallers: KeyCallers | undefined
  /** How people sign in; undefined on a server that asks for no credentials. */
  readonly signIn: SignIn | undefined
}

/** Decides once, at the start, whether the server asks for credentials: it never opens up while it runs. */
export function createAccess({ config, keys, callers = [], signIns, logger }: AccessOptions): CreatedAccess {
  const { wrongKeysPerMinute } = config.access
  const keyCallers =
    keys && asksForKeys(config, keys) ? new KeyCallers({ keys, wrongKeysPerMinute, logger }) : undefined
  const isTrustedProxy = proxyTest(config.trustedProxies)
  const signIn = createSignIn({
    config: config.signIn,
    keys: keyCallers ?? callers[0],
    isTrustedProxy,
    store: signIns,
    logger,
  })
  const { proxy } = config.signIn
  const keySource =
    keyCallers && proxy
      ? besideProxyTokens(keyCallers, { config: proxy, isTrusted: isTrustedProxy })
      : keyCallers
  const sources = [...(keySource ? [keySource] : []), ...callers, ...(signIn?.sources ?? [])]
  return { access: new Access(sources), keyCallers, signIn }
}

/** @throws ListenError if every client of a network could use the server, and the operator has not said so. */
export function assertBindAllowed(config: OpenBindConfig, { isRequired }: Access): void {
  const problem = openBindProblem(config, isRequired)
  if (problem !== undefined) throw new ListenError(problem)
}
