import type { AbortOptions } from '@petals-chat/engine'
import { ModelSourceError } from '../errors.ts'
import { TransientError, describeNetworkError } from './network-error.ts'

export interface HubRequest extends AbortOptions {
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  /** Return the response of the Hub itself, not that of the storage to which it redirects. */
  readonly stopAtOtherHost?: boolean
}

export interface HubResponse {
  /** Successful, or a redirect to another host if `stopAtOtherHost` is set. */
  readonly response: Response
  /** Headers of the Hub's own responses; later ones replace earlier ones. */
  readonly hubHeaders: Headers
}

/** A response with a permanent failure. */
export class HttpStatusError extends Error {
  override readonly name = 'HttpStatusError'
  readonly status: number
  /** The Hub's `X-Error-Code`, for example `GatedRepo`. */
  readonly errorCode: string | undefined
  /** The Hub's own message. */
  readonly serverMessage: string | undefined
  readonly headers: Headers

  constructor(response: Response) {
    super(`The server answered ${response.status}.`)
    this.status = response.status
    this.headers = response.headers
    this.errorCode = response.headers.get('x-error-code') ?? undefined
    this.serverMessage = response.headers.get('x-error-message') ?? undefined
  }
}

export interface HubHttpOptions {
  readonly fetch: typeof fetch
  readonly endpoint: string
  readonly requestTimeoutMs: number
  /** The access token, if there is one. */
  readonly token: () => Promise<string | undefined>
}

/** HTTP requests to the Hub. The token is sent only to the Hub; the class of an error tells whether it may be temporary. */
export class HubHttp {
  readonly #options: HubHttpOptions

  constructor(options: HubHttpOptions) {
    this.#options = options
  }

  /**
   * Makes one attempt. The signal also aborts the body; the time limit applies to the headers.
   * @throws TransientError, HttpStatusError
   */
  async send(url: string, request: HubRequest = {}): Promise<HubResponse> {
    const token = await this.#options.token()
    const hubHeaders = new Headers()
    for (let hops = 0, target = new URL(url); hops <= maxRedirects; hops++) {
      const isHub = target.origin === new URL(this.#options.endpoint).origin
      const response = await this.#fetchOnce(target, request, isHub ? token : undefined)
      if (isHub) response.headers.forEach((value, name) => hubHeaders.set(name, value))
      const location = redirectTarget(response, target)
      if (location === undefined) {
        return { response: await requireSuccess(response, target.host, isHub), hubHeaders }
      }
      if (request.stopAtOtherHost && location.origin !== target.origin) return { response, hubHeaders }
      await response.body?.cancel()
      target = location
    }
    throw new TransientError(`the server redirected more than ${maxRedirects} times`)
  }

  /**
   * Makes one attempt to get a JSON response; undefined if it is not JSON.
   * @throws TransientError, HttpStatusError
   */
  async json(url: string, request: HubRequest = {}): Promise<unknown> {
    const limit = AbortSignal.timeout(2 * this.#options.requestTimeoutMs)
    const signal = request.signal === undefined ? limit : AbortSignal.any([request.signal, limit])
    try {
      const { response } = await this.send(url, { ...request, signal })
      return await response.json()
    } catch (error) {
      request.signal?.throwIfAborted()
      if (error instanceof SyntaxError) return undefined
      if ([HttpStatusError, ModelSourceError, TransientError].some((known) => error instanceof known))
        throw error
      const reason = limit.aborted ? 'the answer stopped coming' : describeNetworkError(error)
      throw new TransientError(reason, { cause: error })
    }
  }

  async #fetchOnce(url: URL, request: HubRequest, token: string | undefined): Promise<Response> {
    const { signal, method = 'GET', headers } = request
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(), this.#options.requestTimeoutMs)
    try {
      return await this.#options.fetch(url, {
        method,
        // Not only for speed: with compression, sizes and ranges would be those of the compressed body.
        headers: {
          ...headers,
          'accept-encoding': 'identity',
          'user-agent': userAgent,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        redirect: 'manual',
        signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
      })
    } catch (error) {
      signal?.throwIfAborted()
      const reason = timeout.signal.aborted
        ? `${url.host} did not answer within ${this.#options.requestTimeoutMs / 1000} s`
        : `no connection to ${url.host}: ${describeNetworkError(error)}`
      throw new TransientError(reason, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }
}

const maxRedirects = 5
const userAgent = 'petals-chat'

function redirectTarget(response: Response, from: URL): URL | undefined {
  const location = response.headers.get('location')
  if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return undefined
  const target = URL.parse(location, from.href)
  if (target === null) throw new TransientError(`the server redirected to '${location}', which is not a URL`)
  if (from.protocol === 'https:' && target.protocol !== 'https:') {
    throw new ModelSourceError(
      'unreachable',
      `${from.host} redirected to ${target.host} without encryption; refused.`,
    )
  }
  return target
}

/** Returns whether a status may be temporary. Links to the storage expire, and the next attempt gets a new one. */
const isTemporary = (status: number, isHub: boolean): boolean =>
  status === 408 ||
  status === 425 ||
  status === 429 ||
  status >= 500 ||
  (!isHub && [401, 403, 404].includes(status))

async function requireSuccess(response: Response, host: string, isHub: boolean): Promise<Response> {
  if (response.ok) return response
  await response.body?.cancel()
  if (!isTemporary(response.status, isHub)) throw new HttpStatusError(response)
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'))
  const wait = retryAfterMs === undefined ? '' : ` and asks to wait ${Math.ceil(retryAfterMs / 1000)} s`
  const text = { 429: ' (too many requests)', 503: ' (overloaded or in maintenance)' }[response.status] ?? ''
  throw new TransientError(`${host} answers ${response.status}${text}${wait}`, { retryAfterMs })
}

/** RFC 9110: seconds or a date. */
function parseRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined
}
