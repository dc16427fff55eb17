/** What every error of the swarm can carry besides its message. */
export interface SwarmErrorOptions {
  /** The peer at fault, base58. */
  readonly peer?: string | undefined
  readonly cause?: unknown
}

/**
 * Base of all that can go wrong between this process and the swarm; one class per decision that a caller takes.
 * These leave the package only as the `cause` of an EngineError.
 */
export class SwarmError extends Error {
  override readonly name: string = 'SwarmError'
  readonly peer: string | undefined

  constructor(message: string, options?: SwarmErrorOptions) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.peer = options?.peer
  }
}

/** The peer has no known address, can't be dialled, or does not speak the protocol (`unsupportedProtocol`). */
export class PeerUnreachableError extends SwarmError {
  override readonly name = 'PeerUnreachableError'
  /** Set if the peer did answer, but refused this protocol. */
  readonly unsupportedProtocol: string | undefined

  constructor(
    message: string,
    options?: SwarmErrorOptions & { readonly unsupportedProtocol?: string | undefined },
  ) {
    super(message, options)
    this.unsupportedProtocol = options?.unsupportedProtocol
  }
}

/** No peer of the swarm can be asked: nothing is known of its servers. Says what a person can check. */
export class SwarmUnreachableError extends PeerUnreachableError {
  constructor(why: string, options?: SwarmErrorOptions) {
    super(
      `The swarm can't be reached: ${why}. Check the addresses of its peers (--swarm, or swarm.initialPeers), whether one of ` +
        'those peers is up, and whether a firewall or a VPN keeps this machine from it.',
      options,
    )
  }
}

/** A stream ended before what was expected of it had arrived: reset, end of stream, or the connection went away. */
export class ConnectionLostError extends SwarmError {
  override readonly name = 'ConnectionLostError'
  /** The peer ended its side in order, and nothing of what was read for had come. */
  readonly clean: boolean

  constructor(message: string, options?: SwarmErrorOptions & { readonly clean?: boolean }) {
    super(message, options)
    this.clean = options?.clean ?? false
  }
}

/** The peer was silent for longer than it was given. */
export class DeadlineExceededError extends SwarmError {
  override readonly name = 'DeadlineExceededError'
  readonly deadlineMs: number

  constructor(what: string, deadlineMs: number, options?: SwarmErrorOptions) {
    super(`${what} did not answer within ${Math.round(deadlineMs)} ms.`, options)
    this.deadlineMs = deadlineMs
  }
}

/** Longest remote error text that is kept; a peer may send megabytes. */
const maxRemoteMessageLength = 1000

/** The peer's handler answered with an error. */
export class RpcError extends SwarmError {
  override readonly name = 'RpcError'
  readonly method: string
  /** The Python exception's text; empty for a timeout or a cancellation over there. */
  readonly remoteMessage: string

  constructor(method: string, remoteMessage: string, options?: SwarmErrorOptions) {
    const shortened = remoteMessage.slice(0, maxRemoteMessageLength)
    super(
      `${method} failed on the server: ${shortened || 'no reason given (a timeout or cancellation there)'}`,
      options,
    )
    this.method = method
    this.remoteMessage = shortened
  }
}

/** The peer sent something that the protocol does not allow: a lie about a size, an unknown type, values that are not numbers. */
export class ProtocolError extends SwarmError {
  override readonly name = 'ProtocolError'
}
