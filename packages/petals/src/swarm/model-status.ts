import type { ModelStatus } from '@petals-chat/engine'
import { formatBlocks } from '../blocks/block-range.ts'
import { missingBlocks } from '../blocks/spans.ts'
import { coverageOf } from './coverage.ts'
import { SwarmUnreachableError } from '../errors.ts'
import type { ModelSwarm } from './model-swarms.ts'
import { missingBlocksError } from '../routing/missing-blocks.ts'

/** The status mentions an answer of the DHT that is older than this: several refreshes in a row have failed. */
const staleAfterMs = 180_000

/**
 * Reports whether a model's servers can answer now, by what is known of them. Does not wait: it starts a check of the
 * servers, which the next call will know of.
 */
export function modelStatus({ router, directory, ...location }: ModelSwarm): ModelStatus {
  void router.check()
  const servers = router.status().filter(({ usable }) => usable)
  const online = servers.filter(({ server }) => server.state === 'online')
  const missing = missingBlocks(online, { start: 0, end: location.numBlocks })
  const { ageMs, failure } = directory.snapshot()
  if (missing.length > 0) {
    // Announcements expire while no peer can be asked: their absence says nothing about the servers.
    const { message } =
      failure instanceof SwarmUnreachableError ? failure : missingBlocksError(missing, location)
    return { state: 'unavailable', detail: message }
  }
  if (ageMs !== undefined && ageMs > staleAfterMs) {
    const detail = `No peer of the swarm has answered for ${Math.round(ageMs / 60_000)} minutes; its servers may have changed.`
    return { state: 'degraded', detail }
  }
  const silent = coverageOf(servers, location.numBlocks, 'presumed').missingBlocks
  if (silent.length === 0) return { state: 'ready' }
  const detail = `The servers of blocks ${formatBlocks(silent)} do not answer now; answers wait for them and fail if they do not come back.`
  return { state: 'degraded', detail }
}
