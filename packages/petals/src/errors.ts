/** What every swarm error can carry besides its message. */
export interface SwarmErrorOptions {
  /** The peer at fault, base58. */
  readonly peer?: string | undefined
  readonly cause?: unknown
}

/**
 * Base of every failure between this process and the swarm. There is one class for each decision that a caller takes. Of
 * the chat engine, these errors leave the package only as the `cause` of an EngineError.
 */
export class SwarmError extends Error {
  override readonly name: string = 'SwarmError'
  readonly peer: string | undefined

  constructor(message: string, options?: SwarmErrorOptions) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.peer = options?.peer
  }
}

/** The peer has no known address, can't be dialled, or does not support the protocol (`unsupportedProtocol`). */
export class PeerUnreachableError extends SwarmError {
  override readonly name = 'PeerUnreachableError'
  /** The protocol that the peer refused; undefined if no connection was made. */
  readonly unsupportedProtocol: string | undefined

  constructor(
    message: string,
    options?: SwarmErrorOptions & { readonly unsupportedProtocol?: string | undefined },
  ) {
    super(message, options)
    this.unsupportedProtocol = options?.unsupportedProtocol
  }
}

/** No peer of the swarm answers, so its servers are unknown. The message says what the user can check. */
export class SwarmUnreachableError extends PeerUnreachableError {
  constructor(why: string, options?: SwarmErrorOptions) {
    super(
      `The swarm can't be reached: ${why}. Check the addresses of its peers (--swarm, or swarm.initialPeers), whether one of ` +
        'those peers is up, and whether a firewall or a VPN keeps this machine from it.',
      options,
    )
  }
}

/** A stream ended before the expected bytes arrived: it was reset or closed, or the connection was lost. */
export class ConnectionLostError extends SwarmError {
  override readonly name = 'ConnectionLostError'
  /** The peer closed its side normally, before the first byte of what was read. */
  readonly clean: boolean

  constructor(message: string, options?: SwarmErrorOptions & { readonly clean?: boolean }) {
    super(message, options)
    this.clean = options?.clean ?? false
  }
}

/** The peer did not answer within its deadline. */
export class DeadlineExceededError extends SwarmError {
  override readonly name = 'DeadlineExceededError'
  readonly deadlineMs: number

  constructor(what: string, deadlineMs: number, options?: SwarmErrorOptions) {
    super(`${what} did not answer within ${Math.round(deadlineMs)} ms.`, options)
    this.deadlineMs = deadlineMs
  }
}

/** Longest remote error text that is kept, characters. A peer can send megabytes. */
const maxRemoteMessageLength = 1000

/** The peer's handler answered with an error. */
export class RpcError extends SwarmError {
  override readonly name = 'RpcError'
  readonly method: string
  /** The text of the Python exception; empty for a timeout or a cancellation on the server. */
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

/** The peer sent something that the protocol does not allow: a wrong size, an unknown type, values that are not finite. */
export class ProtocolError extends SwarmError {
  override readonly name = 'ProtocolError'
}

/** Other servers compute something else from the same inputs: the server is broken, or it lies. */
export class WrongOutputsError extends SwarmError {
  override readonly name = 'WrongOutputsError'

  constructor(peer: string) {
    super('A spot check showed that the server computes something else than its blocks.', { peer })
  }
}
