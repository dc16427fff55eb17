/** Reasons in one message, at most. */
const maxReasons = 3

/**
 * Returns why one peer or several could not be dialled, in words, each reason once. libp2p tries every address of a peer
 * twice, and nests the errors of addresses in those of peers.
 */
export function dialReasons(error: unknown): string {
  const reasons = [...new Set(leavesOf(error).map(wordsOf))]
  const more = reasons.length > maxReasons ? '; …' : ''
  return reasons.slice(0, maxReasons).join('; ') + more
}

const leavesOf = (error: unknown): readonly unknown[] =>
  error instanceof AggregateError ? error.errors.flatMap(leavesOf) : [error]

/** How the handshake fails if the other side ends it without a word: a peer that has too many connections, or a port of no program. */
const cutOff = /while reading 0\/|ECONNRESET|EPIPE/

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'EncryptionFailedError') {
    const detail = error.message.replace(/\.$/, '')
    if (cutOff.test(detail)) return `it ends the connection before the handshake is complete (${detail})`
    // What is not a peer, such as a proxy, fails at the first line of multistream-select, and another peer by its id.
    return `what answers there is not the expected peer (${detail})`
  }
  const [, name] = /getaddrinfo E\w+ (\S+)/.exec(error.message) ?? []
  if (name !== undefined) return `the name ${name} can't be resolved`
  return error.message.replace(/\.$/, '')
}
