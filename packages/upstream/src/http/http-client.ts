import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps, type RequestOptions } from 'node:https'
import { urlToHttpOptions } from 'node:url'
import { type AbortOptions, connectionProblem } from '@petals-chat/engine'

export interface HttpRequest extends AbortOptions {
  readonly url: string
  /** Sent as JSON by POST. Undefined: GET. */
  readonly body?: unknown
  /** Sent to `url` alone: redirects are never followed. */
  readonly apiKey?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly connectTimeoutMs: number
  /** From the start until the headers of the response. */
  readonly responseTimeoutMs: number
}

/** No connection, or none in time, or one that broke before the response. */
export class ConnectionError extends Error {
  override readonly name: string = 'ConnectionError'
}

/** A kept connection was closed by the server while the request was on its way: nothing is wrong with the server. */
class StaleConnectionError extends ConnectionError {
  override readonly name = 'StaleConnectionError'
}

/**
 * Sends requests to the addresses of the configuration and to no others: it follows no redirects, and uses no proxy of the
 * environment. `fetch` would need a library for timeouts of its own.
 */
export class HttpClient implements Disposable {
  readonly #http = new HttpAgent({ keepAlive: true })
  readonly #https = new HttpsAgent({ keepAlive: true })
  /** The parts of each address: the configuration has few, and they are asked often. */
  readonly #targets = new Map<string, RequestOptions>()

  /**
   * Resolves with the headers of the response. The caller reads or destroys its body. What a kept connection lost is sent again:
   * llama-server and others close theirs as soon as a stream has ended. @throws ConnectionError; the signal's reason
   */
  async send(asked: HttpRequest): Promise<IncomingMessage> {
    try {
      return await this.#sendOnce(asked)
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error
      return this.#sendOnce(asked, { isFresh: true })
    }
  }

  #sendOnce(asked: HttpRequest, { isFresh = false } = {}): Promise<IncomingMessage> {
    const { url, body, apiKey, signal, connectTimeoutMs, responseTimeoutMs } = asked
    signal?.throwIfAborted()
    const isSecure = url.startsWith('https:')
    const text = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const request = (isSecure ? requestHttps : requestHttp)({
        ...this.#targetOf(url),
        agent: isFresh ? false : isSecure ? this.#https : this.#http,
        method: text === undefined ? 'GET' : 'POST',
        headers: {
          accept: text === undefined ? 'application/json' : 'text/event-stream, application/json',
          'accept-encoding': 'identity',
          'user-agent': 'petals-chat',
          ...(text !== undefined && {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
          }),
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
          ...asked.headers,
        },
      })
      const within = (ms: number, what: string) =>
        setTimeout(() => request.destroy(new ConnectionError(`${what} within ${ms / 1000} s`)), ms)
      const answering = within(responseTimeoutMs, 'it did not answer')
      let connecting: NodeJS.Timeout | undefined
      const abort = () => request.destroy(new ConnectionError('the request was stopped'))
      const settle = () => {
        clearTimeout(answering)
        clearTimeout(connecting)
        signal?.removeEventListener('abort', abort)
      }
      signal?.addEventListener('abort', abort, { once: true })
      request.once('socket', (socket) => {
        if (!socket.connecting) return
        connecting = within(connectTimeoutMs, 'it did not accept a connection')
        socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(connecting))
      })
      request.once('response', (response) => {
        settle()
        resolve(response)
      })
      // Later errors are those of the response, whose reader gets them.
      request.on('error', (error) => {
        settle()
        reject(signal?.aborted ? (signal.reason as Error) : connectionError(error, request.reusedSocket))
      })
      request.end(text)
    })
  }

  #targetOf(url: string): RequestOptions {
    const known = this.#targets.get(url)
    if (known !== undefined) return known
    const target = urlToHttpOptions(new URL(url))
    this.#targets.set(url, target)
    return target
  }

  [Symbol.dispose](): void {
    this.#http.destroy()
    this.#https.destroy()
  }
}

function connectionError(error: Error & { readonly code?: string }, isReused: boolean): ConnectionError {
  if (error instanceof ConnectionError) return error
  const isStale = isReused && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
  return new (isStale ? StaleConnectionError : ConnectionError)(connectionProblem(error), { cause: error })
}
