import { networkInterfaces } from 'node:os'
import { hostUrl } from '@petals-chat/gateway/config'

const anyAddress: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Returns the URLs of the server: those of all addresses of this machine if it listens on all of them. */
export function reachableUrls(
  host: string,
  port: number,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): readonly [string, ...string[]] {
  const url = (address: string) => hostUrl(address, port)
  if (!anyAddress.has(host)) return [url(host)]
  const others = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
  return [url('127.0.0.1'), ...others.map(({ address }) => url(address))]
}
