import { type AbortOptions, abortable } from '@petals-chat/engine'
import type { HubConfig } from '../config.ts'

/** A newcomer whose network has no way to the Hub waits no longer than this for the other source of the model. */
const reachTimeoutMs = 5_000
/** A network that comes back is noticed after this. That it is there is believed for good: requests have retries. */
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
 * Whether the Hub answers at all. Decided within 5 s whatever happens: no network, a DNS that is silent, connections
 * that hang, a proxy that refuses. Remembered for this process, a "no" for half a minute.
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

/** Any answer that is not a proxy's or gateway's refusal counts: mirrors need not know this very address. */
async function probe(endpoint: string, send: typeof fetch): Promise<boolean> {
  // A pending DNS query can't be cancelled: the limit must not depend on `fetch` letting go of it.
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
