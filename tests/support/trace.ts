import { readFile } from 'node:fs/promises'

/** `strace` of a program and all that it starts: every socket that it connects or sends to, every file that it names. */
export const straceArguments = (file: string): readonly string[] => [
  ...['strace', '-f', '--seccomp-bpf', '-qq', '-s', '300', '-e', 'signal=none'],
  ...['-e', 'trace=network,%file', '-o', file],
]

/** What a session must not do, one line for each kind of it. */
export async function violationsIn(file: string): Promise<readonly string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  return [...new Set([...lines.flatMap(contactOf), ...lines.flatMap(reportFileOf)])]
}

/** Ports of DNS, DNS over TLS and multicast DNS: a name was looked up, even if a resolver on this machine was asked. */
const dnsPorts: ReadonlySet<number> = new Set([53, 853, 5353])

/** A peer that is no process of this machine, or a resolver. */
function contactOf(line: string): readonly string[] {
  const call = /^\d+\s+(connect|sendto|sendmsg|sendmmsg)\(/.exec(line)?.[1]
  if (call === undefined) return []
  if (/sun_path="[^"]*(resolve|mdns|avahi)/.test(line)) return [`${call}: a name is looked up: ${line}`]
  return addressesIn(line).flatMap(({ address, port }) => {
    if (dnsPorts.has(port)) return [`${call}: a name is looked up at ${address} port ${port}`]
    return isLoopback(address) ? [] : [`${call}: ${address} port ${port}`]
  })
}

interface SocketAddress {
  readonly address: string
  readonly port: number
}

/** `sin_port=htons(53), sin_addr=inet_addr("10.0.0.1")`, and the same of IPv6. */
function addressesIn(line: string): readonly SocketAddress[] {
  const pattern = /sin6?_port=htons\((\d+)\).*?inet_(?:addr\(|pton\(AF_INET6, )"([^"]+)"/g
  return [...line.matchAll(pattern)].map(([, port, address]) => ({ address: address!, port: Number(port) }))
}

/** Connected to, the address 0.0.0.0 is this machine. */
const isLoopback = (address: string): boolean =>
  /^(::ffff:)?127\./.test(address) || ['::1', '::', '0.0.0.0'].includes(address)

/** Where libraries keep what they report: ids of the machine, databases of events. Reading is enough to tell. */
const reportFile =
  /deviceid|machine-?id|\/Microsoft\/|DeveloperTools|telemetry|\/analytics|\.sentry|update-notifier|configstore/i

/** Only files that are there, or are made: programs look for many that are not. Code of that name is none. */
function reportFileOf(line: string): readonly string[] {
  if (/ = -1 E/.test(line) || !/^\d+\s+(open|openat|creat|mkdir|mkdirat|rename)\w*\(/.test(line)) return []
  const [, file = ''] = /"([^"]+)"/.exec(line) ?? []
  return reportFile.test(file) && !/\.(py|pyc|js|mjs|ts|json|so)\b|node_modules|site-packages/.test(file)
    ? [`a file of reports: ${file}`]
    : []
}
