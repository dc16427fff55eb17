import { bounds } from '../bounds.ts'

export interface BoundedFetchOptions {
  /** The only address. */
  readonly url: string
  /** How long a request may take with its answer; a stream of notifications may stay open. */
  readonly requestMs: number
  /** Called when the server breaks a bound: nothing that it sends is worth to be read any more. */
  readonly onBroken: (error: BoundError) => void
}

/** The server broke a bound, or sends elsewhere. The message says what it did, after "it". */
export class BoundError extends Error {
  override readonly name = 'BoundError'
}

/** Bytes of an answer that reports an error. */
const MAX_ERROR_BYTES = 65_536

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** `fetch` for one address: it follows no redirects, and bounds what an answer may take in bytes and in time. */
export function boundedFetch({ url, requestMs, onBroken }: BoundedFetchOptions): Fetch {
  let running = 0
  const own = new URL(url).href
  return async (asked, init = {}) => {
    if (new URL(asked).href !== own) throw new BoundError('it wants another address to be asked')
    if (running >= bounds.requests) {
      const error = new BoundError(`it leaves ${bounds.requests} requests unanswered`)
      onBroken(error)
      throw error
    }
    running++
    let isOver = false
    const end = (): void => {
      if (!isOver) running--
      isOver = true
    }
    const isNotifying = init.method === 'GET'
    const late = isNotifying ? [] : [AbortSignal.timeout(requestMs)]
    const signals = init.signal == null ? late : [init.signal, ...late]
    try {
      const response = await fetch(own, { ...init, redirect: 'manual', signal: AbortSignal.any(signals) })
      if (response.status >= 300 && response.status < 400) {
        await response.body?.cancel()
        throw new BoundError(
          'it redirects to another address, which is not followed: write the address itself as its url',
        )
      }
      if (response.body === null) {
        end()
        return response
      }
      const max = response.ok ? bytesOfAnswer(init) : MAX_ERROR_BYTES
      const { status, statusText, headers } = response
      return new Response(
        boundedBody(response.body, max, { end, onBroken: isNotifying || !response.ok ? () => {} : onBroken }),
        { status, statusText, headers },
      )
    } catch (error) {
      end()
      throw error
    }
  }
}

/** A list is all read before it is bounded by what it says. */
const bytesOfAnswer = ({ body }: RequestInit): number =>
  typeof body === 'string' && body.includes('"method":"tools/list"') ? bounds.listBytes : bounds.responseBytes

interface BodyListeners {
  /** The body is over, whatever way. */
  readonly end: () => void
  readonly onBroken: (error: BoundError) => void
}

function boundedBody(
  body: ReadableStream<Uint8Array>,
  max: number,
  { end, onBroken }: BodyListeners,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let bytes = 0
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (done) {
          end()
          controller.close()
          return
        }
        bytes += value.length
        if (bytes > max) throw new BoundError(`it sent more than ${max} bytes in one answer`)
        controller.enqueue(value)
      } catch (error) {
        end()
        if (error instanceof BoundError) onBroken(error)
        controller.error(error)
        void reader.cancel(error).catch(() => {})
      }
    },
    async cancel(reason) {
      end()
      await reader.cancel(reason).catch(() => {})
    },
  })
}
