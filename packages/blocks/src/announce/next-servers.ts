import type { AbortOptions } from '@petals-chat/engine'
import type {
  AnnouncedSpan,
  BlockDirectory,
  BlockRange,
  PeerId,
  RoundTrips,
} from '@petals-chat/petals/protocol'

/** Servers pinged each time, of those that may follow within the blocks, and of those that hold the block after the last. */
const maxPinged = 5

/**
 * Measures the round trips to servers that may follow this one in a route, by which clients choose routes (`_ping_next_servers`
 * of `petals/server/server.py`).
 */
export async function pingNextServers(
  directory: BlockDirectory,
  roundTrips: RoundTrips,
  { own, blocks, signal }: { readonly own: PeerId; readonly blocks: BlockRange } & AbortOptions,
): Promise<ReadonlyMap<PeerId, number>> {
  const others = directory.snapshot().spans.filter(({ peer }) => peer !== own)
  const within = others.filter((span) => span.end > blocks.start + 1 && span.start < blocks.end)
  const after = others.filter((span) => span.start <= blocks.end && span.end > blocks.end)
  const chosen = new Set([...sample(within), ...sample(after)].map(({ peer }) => peer))
  await roundTrips.measure([...chosen], { signal })
  return roundTrips.seconds()
}

function sample(spans: readonly AnnouncedSpan[]): readonly AnnouncedSpan[] {
  const ranked = spans.map((span) => ({ span, rank: Math.random() })).sort((a, b) => a.rank - b.rank)
  return ranked.slice(0, maxPinged).map(({ span }) => span)
}
