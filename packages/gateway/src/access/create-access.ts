import type { KeyStore } from '@petals-chat/access'
import type { Logger } from '@petals-chat/engine'
import type { GatewayConfig } from '../config.ts'
import { isLoopbackHost } from '../host-address.ts'
import { ListenError } from '../listen-error.ts'
import { Access, type CallerSource } from './access.ts'
import { KeyCallers } from './key-callers.ts'
import { createSignIn, type SignIn } from './sign-in/sign-in.ts'

/** What decides who may use the server. */
export interface AccessOptions {
  readonly config: Pick<GatewayConfig, 'host' | 'insecurePublic' | 'access' | 'signIn' | 'trustedProxies'>
  /** The API keys; undefined if the configuration wants none. */
  readonly keys?: KeyStore | undefined
  /** Further kinds of credentials. */
  readonly callers?: readonly CallerSource[] | undefined
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
export function createAccess({ config, keys, callers = [], logger }: AccessOptions): CreatedAccess {
  const { wrongKeysPerMinute } = config.access
  const keyCallers =
    keys && asksForKeys(config, keys) ? new KeyCallers({ keys, wrongKeysPerMinute, logger }) : undefined
  const programs = keyCallers === undefined ? callers : [keyCallers, ...callers]
  const signIn = createSignIn(config, programs)
  return { access: new Access([...programs, ...(signIn?.sources ?? [])]), keyCallers, signIn }
}

/** Reports whether a server with this configuration asks for keys: on a public address, or once there are some. */
function asksForKeys({ host, insecurePublic, access }: AccessOptions['config'], keys: KeyStore): boolean {
  if (access.keys !== 'auto') return access.keys === 'required'
  return !insecurePublic && (!isLoopbackHost(host) || keys.hasKeys)
}

/** @throws ListenError if every client of a network could use the server, and the operator has not said so. */
export function assertBindAllowed(
  { host, insecurePublic }: Pick<GatewayConfig, 'host' | 'insecurePublic'>,
  { isRequired }: Access,
): void {
  if (isRequired || insecurePublic || isLoopbackHost(host)) return
  throw new ListenError(
    `Listening on ${host} would let every client that reaches it use the models of this server. Let it ask for API keys ` +
      '(server.access.keys: auto), or leave server.host at 127.0.0.1. If every client may use it, set ' +
      'server.insecurePublic to true.',
  )
}
