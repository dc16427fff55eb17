import type { Multiaddr } from '@multiformats/multiaddr'

/** Refuses connections of a host that has enough: peer ids cost nothing, so that a limit for each peer alone has no effect. */
export class ConnectionBound {
  readonly #mostPerHost: number
  readonly #open: () => readonly Multiaddr[]

  /** @param open returns the remote addresses of all open connections */
  constructor(mostPerHost: number, open: () => readonly Multiaddr[]) {
    this.#mostPerHost = mostPerHost
    this.#open = open
  }

  isFull(address: Multiaddr): boolean {
    const host = hostOf(address)
    if (host === undefined) return false // through a relay, whose own connection was counted
    return this.#open().filter((other) => hostOf(other) === host).length >= this.#mostPerHost
  }
}

/** An IPv6 host owns at least a network of 64 bits. */
function hostOf(address: Multiaddr): string | undefined {
  if (address.toString().includes('/p2p-circuit')) return undefined
  const [first] = address.getComponents()
  if (first?.name === 'ip4') return first.value
  return first?.name === 'ip6' ? first.value?.split(':').slice(0, 4).join(':') : undefined
}
