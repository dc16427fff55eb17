import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4') // also as ::ffff:127.0.0.1
loopback.addAddress('::1', 'ipv6')

/** Returns an address or name to listen on without the brackets of a URL: `[::1]` → `::1`. */
export const bareHost = (host: string): string => /^\[(.*)\]$/.exec(host.trim())?.[1] ?? host.trim()

/** Reports whether only this machine can reach a server that listens there, however the address is written. */
export function isLoopbackHost(host: string): boolean {
  const name = bareHost(host).toLowerCase().replace(/\.$/, '')
  const family = isIP(name)
  if (family === 0) return name === 'localhost' || name.endsWith('.localhost')
  return loopback.check(name.replace(/%.*$/, ''), family === 6 ? 'ipv6' : 'ipv4')
}

/** Returns the URL of a server that listens there. */
export function hostUrl(host: string, port: number): string {
  const bare = bareHost(host)
  return `http://${isIP(bare) === 6 ? `[${bare}]` : bare}:${port}`
}

/** A part of a name in the DNS, also of one that is not ASCII. */
const LABEL = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_-]{0,61}[\p{L}\p{N}_])?$/u

/** Reports whether a server could listen on `host`, by its form: it is an IP address or a name. */
export function isListenHost(host: string): boolean {
  if (isIP(host) !== 0) return true
  const labels = host.replace(/\.$/, '').split('.')
  // The system reads 127.1 and 0x7f.1 as addresses; what is loopback, and what is trusted, is known of whole ones only.
  const isNumber = /^(\d+|0x[\da-f]*)$/i.test(labels.at(-1)!)
  return host.length <= 254 && !isNumber && labels.every((label) => LABEL.test(label))
}

/** Scheme, host, port, and what follows them in a URL. */
const LOCATION = /^(?:[a-z][a-z\d+.-]*:\/\/)?(\[[^\]]*\]|[^:/?#@\s]*)(?::(\d+))?(?:[/?#].*)?$/i

/** Says how to write an address to listen on that was written in another way. */
export function listenHostAdvice(host: string): string {
  const [, name = '', port] = LOCATION.exec(host.trim()) ?? []
  const bare = name === '*' ? '0.0.0.0' : bareHost(name)
  const keys = `server.host: '${bare}'${port === undefined ? '' : ` and server.port: ${port}`}`
  return (
    'must be an IP address or a name of this machine, without scheme, port and path: 127.0.0.1, 0.0.0.0, ::1, chat.example.org.' +
    (isListenHost(bare) && bare !== host ? ` Write ${keys}.` : '')
  )
}
