import type { Multiaddr } from '@multiformats/multiaddr'
import { originOf } from './origin.ts'

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
    const origin = originOf(address)
    if (origin === undefined) return false // through a relay, whose own connection was counted
    return this.#open().filter((other) => originOf(other) === origin).length >= this.#mostPerHost
  }
}
