import { isLoopbackHost } from '../host-address.ts'
import type { SignInConfig } from './sign-in/config.ts'

/** What decides whether a server may listen where it is to; see `gatewayConfigSchema`. */
export interface OpenBindConfig {
  readonly host: string
  readonly insecurePublic: boolean
}

/** What decides whether a server asks for credentials; see `gatewayConfigSchema`. */
export interface CredentialConfig {
  readonly access: { readonly keys: 'auto' | 'required' | 'off' }
  readonly signIn: Pick<SignInConfig, 'openid' | 'proxy'>
}

/** Reports whether a server with this configuration asks for keys: on a public address, or once there are some. */
export function asksForKeys(
  { host, insecurePublic, access }: OpenBindConfig & Pick<CredentialConfig, 'access'>,
  keys: { readonly hasKeys: boolean },
): boolean {
  if (access.keys !== 'auto') return access.keys === 'required'
  return !insecurePublic && (!isLoopbackHost(host) || keys.hasKeys)
}

/** Reports whether a server with this configuration asks for credentials where others can reach it: for keys, or a sign-in. */
export const mayAskForCredentials = ({ access, signIn }: CredentialConfig): boolean =>
  access.keys !== 'off' || signIn.openid !== undefined || signIn.proxy !== undefined

/**
 * Returns what is wrong if every client of a network could use the server, and the operator has not said so; else undefined.
 * @param asks whether the server asks for credentials.
 */
export function openBindProblem({ host, insecurePublic }: OpenBindConfig, asks: boolean): string | undefined {
  if (asks || insecurePublic || isLoopbackHost(host)) return undefined
  return (
    `${host} would let every client that reaches it use the models of this server. Let it ask for API keys ` +
    '(server.access.keys: auto) or for a sign-in (server.signIn), or leave server.host at 127.0.0.1. If every client may ' +
    'use it, add --insecure-public (server.insecurePublic: true).'
  )
}
