import type { Connection, DialTransportOptions, Transport, Upgrader } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** How long one address may take. Milliseconds. */
export interface AddressTimeouts {
  /** Until the other end accepts the connection: a dead address never does. */
  readonly connectMs: number
  /** For the handshakes after that, which take several round trips. */
  readonly upgradeMs: number
  /** Called with the milliseconds that connecting took, if it succeeds: of this address alone, not of those tried before it. */
  readonly onConnected?: ((ms: number) => void) | undefined
}

/**
 * Gives the dials of a transport timeouts by address. libp2p's `addressDialTimeout` is one number for all, from the connection
 * to the end of the handshakes: a number that gives up dead addresses soon also gives up peers on slow lines.
 */
export const withAddressTimeouts =
  <Components>(
    create: (components: Components) => Transport,
    timeoutsOf: (address: Multiaddr) => AddressTimeouts,
  ) =>
  (components: Components): Transport => {
    const transport = create(components)
    const dial = transport.dial.bind(transport)
    transport.dial = async (address, options) => {
      const timeouts = timeoutsOf(address)
      const timer = new DialTimer(options, timeouts)
      const startedAt = performance.now()
      try {
        const connection = await dial(address, timer.options)
        timeouts.onConnected?.(performance.now() - startedAt)
        return connection
      } catch (error) {
        throw timer.reason ?? error
      } finally {
        timer.stop()
      }
    }
    return transport
  }

/** Aborts a dial whose current part takes too long. */
class DialTimer {
  readonly options: DialTransportOptions
  /** Why the dial was aborted; undefined if this timer did not do it. */
  reason: Error | undefined
  readonly #late = new AbortController()
  #timer: NodeJS.Timeout

  constructor(options: DialTransportOptions, { connectMs, upgradeMs }: AddressTimeouts) {
    this.#timer = this.#start(connectMs, 'it accepts no connection')
    const { upgrader } = options
    const upgradeOutbound = async (
      ...[connection, upgradeOptions]: Parameters<Upgrader['upgradeOutbound']>
    ): Promise<Connection> => {
      this.stop()
      this.#timer = this.#start(upgradeMs, 'it accepts connections but does not complete the handshake')
      return await upgrader.upgradeOutbound(connection, upgradeOptions)
    }
    this.options = {
      ...options,
      // All that this object lacks is that of libp2p's upgrader.
      upgrader: Object.assign(Object.create(upgrader) as Upgrader, { upgradeOutbound }),
      signal: AbortSignal.any([options.signal, this.#late.signal]),
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #start(ms: number, what: string): NodeJS.Timeout {
    return setTimeout(() => {
      this.reason = new Error(`${what} within ${Math.round(ms)} ms`)
      this.#late.abort(this.reason)
    }, ms)
  }
}
