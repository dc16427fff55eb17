import { transportSymbol, type Transport } from '@libp2p/interface'
import type { webSockets, WebSocketsComponents } from '@libp2p/websockets'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Dials WebSockets. Few servers listen on them: the code, a tenth of libp2p, is loaded when the first one is dialled. */
export function lazyWebSockets(): ReturnType<typeof webSockets> {
  return (components) => new LazyWebSockets(components)
}

class LazyWebSockets implements Transport {
  readonly [transportSymbol] = true
  readonly [Symbol.toStringTag] = 'lazy-websockets'
  readonly #components: WebSocketsComponents
  #loaded: Promise<Transport> | undefined

  constructor(components: WebSocketsComponents) {
    this.#components = components
  }

  async dial(...args: Parameters<Transport['dial']>): ReturnType<Transport['dial']> {
    this.#loaded ??= import('@libp2p/websockets').then((module) => module.webSockets()(this.#components))
    return await (await this.#loaded).dial(...args)
  }

  createListener(): never {
    throw new Error('A client does not listen.')
  }

  listenFilter(): Multiaddr[] {
    return []
  }

  dialFilter(multiaddrs: Multiaddr[]): Multiaddr[] {
    return multiaddrs.filter((address) => {
      const protocols = new Set(address.getComponents().map(({ name }) => name))
      return (protocols.has('ws') || protocols.has('wss')) && !protocols.has('p2p-circuit')
    })
  }
}
