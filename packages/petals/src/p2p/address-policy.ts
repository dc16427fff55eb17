import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { lookup as lookupName } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import type { Multiaddr } from '@multiformats/multiaddr'
import { ipScope, type IpScope } from '@petals-chat/engine'
import { parseAddress } from './multiaddrs.ts'

/** What `swarm.privateAddresses` can be. */
export type PrivateAddresses = 'auto' | 'allow' | 'deny'

/** Addresses of one peer that are kept and dialled, at most. */
export const maxAddressesPerPeer = 16

/** The wait for the names of initial peers, which decide whether the swarm is a private one. */
const nameTimeoutMs = 2000

/** An address as servers of a swarm have it, by the names of its parts; other forms are not dialled at all. */
const knownForm = /^(ip4|ip6|dns4|dns6|dns) tcp( ws| tls ws| tls sni ws| wss)?( p2p)?( p2p-circuit( p2p)?)?$/
const relayOnly = /^p2p p2p-circuit( p2p)?$/

/**
 * Decides which addresses of peers are dialled. Peers announce their addresses themselves, so without a rule any of them
 * could make this machine call services that only it can reach. Addresses of the configuration are always dialled. Those
 * learnt from peers must look like a server's, and must be reachable from anywhere if an initial peer is. In a swarm whose
 * initial peers are all in a private network, other addresses of private networks are dialled too, and those of this machine
 * or of its link if an initial peer has one. In a swarm of an overlay network, those of that network are.
 */
export class AddressPolicy {
  readonly #setting: PrivateAddresses
  readonly #trusted = new Set<string>()
  readonly #trustedNames = new Set<string>()
  readonly #initialScopes = new Set<IpScope>()
  #allowed: ReadonlySet<IpScope>

  constructor(setting: PrivateAddresses = 'auto') {
    this.#setting = setting
    this.#allowed = scopesOf(setting, new Set())
  }

  /** Trusts the addresses of the configuration. Called before the first of them is dialled. */
  async trust(addresses: readonly string[]): Promise<void> {
    const multiaddrs = addresses.map(parseAddress)
    const names = multiaddrs.map(hostOf).filter((host) => host !== undefined && ipScope(host) === undefined)
    for (const name of names) this.#trustedNames.add(name!)
    for (const address of multiaddrs) this.trustAddress(address)
    if (this.#setting !== 'auto') return
    const scopes = await Promise.all([...this.#trustedNames].map(scopesOfName))
    this.#addInitial(scopes.flat())
  }

  /** Trusts one address: one of the configuration, or that of a connection to an initial peer. */
  trustAddress(address: Multiaddr): void {
    this.#trusted.add(withoutPeer(address))
    const scope = ipScope(hostOf(address) ?? '')
    if (scope) this.#addInitial([scope])
  }

  /**
   * Takes a listening node's own addresses into account, as if an initial peer had them: the first node of a private swarm has
   * no initial peers. Those of this machine count only if there are no others, because a node that listens on every address
   * has them, too.
   */
  addOwn(addresses: readonly Multiaddr[]): void {
    const scopes = addresses.flatMap((address) => ipScope(hostOf(address) ?? '') ?? [])
    const beyond = scopes.filter((scope) => scope !== 'loopback' && scope !== 'link')
    this.#addInitial(beyond.length > 0 ? beyond : scopes)
  }

  /** Reports whether an address has a form that is ever dialled. */
  readonly isKnownForm = (address: Multiaddr): boolean => {
    const form = formOf(address)
    return knownForm.test(form) || relayOnly.test(form)
  }

  /** Reports whether an address that a peer told about itself or about another one may be kept and dialled. */
  readonly allows = (address: Multiaddr): boolean => {
    if (this.#trusted.has(withoutPeer(address))) return true
    if (!this.isKnownForm(address)) return false
    const host = hostOf(address)
    if (host === undefined) return true // a relay by its id: its own address was checked
    const scope = ipScope(host)
    if (scope) return this.#allowed.has(scope)
    // The name of a WebSocket is resolved where it can't be checked.
    return this.#trustedNames.has(host) || !/\bwss?\b/.test(formOf(address))
  }

  /** `dns.lookup` that refuses the names of peers which lead to addresses that `allows` refuses. */
  readonly lookup: LookupFunction = (name, options, callback) => {
    lookup(name, { ...(options as LookupOptions), all: true }, (error, addresses) => {
      // What a name of the configuration leads to may be known only now.
      if (!error && this.#trustedNames.has(name)) this.#addInitial(scopesOfAddresses(addresses))
      const permitted = error ? [] : addresses.filter(({ address }) => this.#isPermitted(name, address))
      const [first] = permitted
      if (!first)
        callback(error ?? new Error(`The name ${name} leads to no address that may be dialled.`), '', 0)
      else if (options.all) callback(null, permitted)
      else callback(null, first.address, first.family)
    })
  }

  #addInitial(scopes: readonly IpScope[]): void {
    for (const scope of scopes) this.#initialScopes.add(scope)
    this.#allowed = scopesOf(this.#setting, this.#initialScopes)
  }

  #isPermitted(name: string, address: LookupAddress['address']): boolean {
    return this.#trustedNames.has(name) || this.#allowed.has(ipScope(address) ?? 'special')
  }
}

/** Scopes of initial peers in a network that is closed to strangers. */
const closed: readonly IpScope[] = ['private', 'link', 'loopback']

function scopesOf(setting: PrivateAddresses, initial: ReadonlySet<IpScope>): ReadonlySet<IpScope> {
  if (setting === 'allow') return new Set(['global', 'overlay', ...closed])
  if (setting === 'deny' || initial.size === 0) return new Set(['global'])
  // Among initial peers of several kinds, the widest decides who can be in the swarm.
  if (initial.has('global') || initial.has('special')) return new Set(['global'])
  if (initial.has('overlay')) return new Set(['global', 'overlay'])
  return new Set(['global', 'private', ...closed.filter((scope) => initial.has(scope))])
}

/** A name that leads nowhere says nothing about the swarm: it counts when it is resolved to be dialled. */
async function scopesOfName(name: string): Promise<readonly IpScope[]> {
  const late = new Promise<readonly LookupAddress[]>((resolve) =>
    setTimeout(resolve, nameTimeoutMs, []).unref(),
  )
  return scopesOfAddresses(await Promise.race([lookupName(name, { all: true }), late]).catch(() => []))
}

const scopesOfAddresses = (addresses: readonly LookupAddress[]): readonly IpScope[] =>
  addresses.map(({ address }) => ipScope(address) ?? 'special')

const formOf = (address: Multiaddr): string =>
  address
    .getComponents()
    .map(({ name }) => name)
    .join(' ')

const hostOf = (address: Multiaddr): string | undefined => {
  const [first] = address.getComponents()
  return first && /^(ip[46]|dns[46]?)$/.test(first.name) ? first.value : undefined
}

const withoutPeer = (address: Multiaddr): string => address.toString().replace(/\/p2p\/\w+$/, '')
