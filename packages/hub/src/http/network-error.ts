/** A fault that may be temporary: another attempt after a pause may succeed. */
export class TransientError extends Error {
  override readonly name = 'TransientError'
  /** The delay that the server asks for. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    options?: { readonly retryAfterMs?: number | undefined; readonly cause?: unknown },
  ) {
    super(message, options)
    this.retryAfterMs = options?.retryAfterMs
  }
}

const words: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the DNS does not know its name',
  EAI_AGAIN: 'the DNS does not answer',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  UND_ERR_HEADERS_TIMEOUT: 'no answer came in time',
  UND_ERR_BODY_TIMEOUT: 'the answer stopped coming',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'the network is down',
}

const certificateCode = /CERT|SIGNATURE|ERR_TLS|ISSUER/

/** Describes why a `fetch` failed, with the error code for searches. */
export function describeNetworkError(error: unknown): string {
  const { code, message } = rootCause(error)
  if (code !== undefined && certificateCode.test(code)) {
    return `its certificate is not trusted (${code}); behind a proxy that inspects traffic, set NODE_EXTRA_CA_CERTS to its certificate`
  }
  const text = (code !== undefined && words[code]) || message
  return code === undefined || text === code ? text : `${text} (${code})`
}

interface Coded {
  readonly code: string | undefined
  readonly message: string
}

/** Returns the original error: `fetch` wraps it in a TypeError, and several times if more than one address was tried. */
function rootCause(error: unknown): Coded {
  const { cause, errors, code, message } = error as {
    cause?: unknown
    errors?: readonly unknown[]
    code?: unknown
    message?: string
  }
  const inner = cause ?? errors?.[0]
  if (inner !== undefined && typeof code !== 'string') return rootCause(inner)
  return { code: typeof code === 'string' ? code : undefined, message: message ?? String(error) }
}
