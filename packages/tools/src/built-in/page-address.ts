import { lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { ipScope, type IpScope } from '@petals-chat/engine'
import type { FetchConfig } from '../config.ts'
import { ToolFailure } from '../tool-server.ts'

/** A host that the configuration names. */
interface NamedHost {
  readonly host: string
  readonly port: string | undefined
}

const PUBLIC_PORTS: ReadonlySet<string> = new Set(['', '80', '443'])
const PUBLIC: ReadonlySet<IpScope> = new Set(['global'])
/** No configuration leads to `special` addresses: services of clouds that give away credentials are among them. */
const NAMED: ReadonlySet<IpScope> = new Set(['global', 'overlay', 'private', 'link', 'loopback'])

/** Which addresses pages may be fetched from. */
export class PageAddresses {
  readonly #named: readonly NamedHost[] | undefined
  readonly #lookUp: typeof lookup

  /** `lookUp`: for tests. */
  constructor(config: FetchConfig, lookUp: typeof lookup = lookup) {
    this.#named = typeof config === 'object' ? config.map(namedHost) : undefined
    this.#lookUp = lookUp
  }

  /** Reads an address. @throws ToolFailure if nothing may be fetched from there */
  check(text: string, base?: URL): URL {
    if (!URL.canParse(text, base?.href)) throw new ToolFailure(`'${text.slice(0, 200)}' is no web address.`)
    const url = new URL(text, base?.href)
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new ToolFailure('Only addresses that begin with http: or https: can be fetched.')
    if (url.username !== '' || url.password !== '')
      throw new ToolFailure('The address must not have a name or a password in it.')
    const rule = this.#ruleOf(url)
    if (rule === undefined)
      throw new ToolFailure(
        `Pages of ${url.host} may not be fetched: the configuration of this server does not name it.`,
      )
    const address = bareHost(url)
    if (isIP(address) !== 0 && !rule.has(ipScope(address) ?? 'special')) throw refusal(url.host)
    return url
  }

  /** `dns.lookup` for the connection to a checked address: it is resolved once, and every address it leads to is checked. */
  lookup(url: URL): LookupFunction {
    const rule = this.#ruleOf(url) ?? PUBLIC
    return (name, options, callback) => {
      this.#lookUp(name, { family: options.family, hints: options.hints, all: true }, (error, found) => {
        if (error) return callback(error, [], 0)
        const addresses = found.filter(({ address }) => rule.has(ipScope(address) ?? 'special'))
        const [first] = addresses
        // Also one bad address among good ones: it is a name that changes its mind.
        if (first === undefined || addresses.length < found.length) return callback(refusal(url.host), [], 0)
        if (options.all) callback(null, addresses)
        else callback(null, first.address, first.family)
      })
    }
  }

  /** What kinds of addresses the host may have; undefined if it may not be asked at all. */
  #ruleOf(url: URL): ReadonlySet<IpScope> | undefined {
    const named = this.#named
    if (named === undefined) return PUBLIC_PORTS.has(url.port) ? PUBLIC : undefined
    const host = bareHost(url).replace(/\.$/, '')
    const isPort = (port: string | undefined) =>
      port === undefined ? PUBLIC_PORTS.has(url.port) : port === portOf(url)
    if (named.some((each) => each.host === host && isPort(each.port))) return NAMED
    const isBelow = (each: NamedHost) => each.host.startsWith('*.') && host.endsWith(each.host.slice(1))
    return named.some((each) => isBelow(each) && isPort(each.port)) ? PUBLIC : undefined
  }
}

const portOf = ({ port, protocol }: URL): string => port || (protocol === 'https:' ? '443' : '80')

const bareHost = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '').toLowerCase()

function namedHost(text: string): NamedHost {
  const [, host = '', port] = /^(.*?)(?::(\d+))?$/.exec(
    text.startsWith('[') ? text.replace(/^\[(.*)\]/, '$1|') : text,
  )!
  const bare = host.replace(/\|$/, '').toLowerCase().replace(/\.$/, '')
  return { host: bare, port }
}

const refusal = (host: string): ToolFailure =>
  new ToolFailure(
    `Pages of ${host} may not be fetched: the name leads into a private network or to this machine, and the configuration does not name it.`,
  )
