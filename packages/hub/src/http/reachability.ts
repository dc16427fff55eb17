import { type AbortOptions, abortable } from '@petals-chat/engine'
import type { HubConfig } from '../config.ts'

/** A new user whose network can't reach the Hub waits no longer than this for the other source of the model. */
const reachTimeoutMs = 5_000
/** A negative result is checked again after this time. A positive one is kept permanently, because requests have retries. */
const unreachableForMs = 30_000

export interface ReachOptions extends AbortOptions {
  readonly fetch?: typeof fetch | undefined
}

interface Verdict {
  readonly promise: Promise<boolean>
  readonly at: number
  isReachable?: boolean
}

const verdicts = new Map<string, Verdict>()

/**
 * Returns whether the Hub responds at all. Takes at most 5 s in any case: no network, a silent DNS, hanging connections,
 * a proxy that refuses. The result is cached for this process, a negative one for half a minute.
 */
export async function canReachHub(
  { endpoint, offline }: Pick<HubConfig, 'endpoint' | 'offline'>,
  options: ReachOptions = {},
): Promise<boolean> {
  const { signal } = options
  signal?.throwIfAborted()
  if (offline) return false
  const verdict = remembered(endpoint) ?? ask(endpoint, options.fetch ?? fetch)
  return abortable(verdict.promise, signal)
}

function remembered(endpoint: string): Verdict | undefined {
  const verdict = verdicts.get(endpoint)
  const isOld = verdict?.isReachable === false && performance.now() - verdict.at > unreachableForMs
  return isOld ? undefined : verdict
}

function ask(endpoint: string, send: typeof fetch): Verdict {
  const promise = probe(endpoint, send)
  const verdict: Verdict = { promise, at: performance.now() }
  verdicts.set(endpoint, verdict)
  void promise.then((isReachable) => (verdict.isReachable = isReachable))
  return verdict
}

/** Accepts any response that is not a refusal of a proxy or gateway, because mirrors need not support this address. */
async function probe(endpoint: string, send: typeof fetch): Promise<boolean> {
  // A pending DNS query can't be cancelled, so the limit must not depend on `fetch` to end it.
  const timeout = AbortSignal.timeout(reachTimeoutMs)
  try {
    const request = send(`${endpoint}/api/models?limit=1`, { signal: timeout })
    const response = await abortable(request, timeout)
    void response.body?.cancel().catch(() => {})
    return response.status < 500 && response.status !== 407
  } catch {
    return false
  }
}
