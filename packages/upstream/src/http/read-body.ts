import type { IncomingMessage } from 'node:http'

/** Reads at most `maxBytes` of a body as text, in at most `timeoutMs`; the rest is not waited for. */
export async function readBody(
  response: IncomingMessage,
  { maxBytes, timeoutMs }: { readonly maxBytes: number; readonly timeoutMs: number },
): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  const timer = setTimeout(() => response.destroy(), timeoutMs)
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (size > maxBytes) break
    }
  } catch {
    // What has arrived may still say what is wrong.
  } finally {
    clearTimeout(timer)
  }
  return Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8')
}

/** The value of a JSON text; undefined if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Milliseconds of `retry-after-ms` or `retry-after` (seconds, or a date). */
export function retryAfterOf({ headers }: Pick<IncomingMessage, 'headers'>): number | undefined {
  const ms = Number(headers['retry-after-ms'] ?? NaN)
  if (Number.isFinite(ms) && ms >= 0) return ms
  const text = headers['retry-after']
  if (text === undefined) return undefined
  const seconds = Number(text)
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(wait) ? Math.max(wait, 0) : undefined
}
