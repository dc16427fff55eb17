import { networkInterfaces } from 'node:os'
import { hostUrl } from '@petals-chat/gateway/config'

const anyAddress: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** URLs at which the server can be opened: of every address of this machine where it listens on all of them. */
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
