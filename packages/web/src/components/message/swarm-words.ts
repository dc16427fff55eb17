import type { Failover, SwarmPeer, SwarmWait } from '../../api/route-report.ts'
import { formatClock, formatSeconds } from '../../i18n/format.ts'
import type { Texts } from '../../i18n/en.ts'

/** Returns the server's public name, else the end of its peer id, which is enough to distinguish servers. */
export function peerName({ publicName, peer }: SwarmPeer): string {
  return publicName ?? `…${peer.slice(-6)}`
}

/** For example: "Server X left; continued with Y after 0.4 s." */
export function failoverWords(texts: Texts, failover: Failover): string {
  const words = changeWords(texts, failover)
  if (!failover.precision) return words
  const { before, after, position } = failover.precision
  return `${words} ${texts.otherPrecision(before, after, position + 1)}`
}

function changeWords(texts: Texts, failover: Failover): string {
  const names = [...new Set(failover.replacedBy.map(peerName))].join(', ')
  if (failover.wrongFrom !== undefined) return texts.failoverWrong(peerName(failover), names)
  if (failover.byStandby)
    return texts.failoverStandby(peerName(failover), names, formatSeconds(failover.pauseMs))
  return texts.failover(peerName(failover), names, formatSeconds(failover.pauseMs))
}

/** What an answer without text waits for; undefined if it is not known to wait. */
export function holdWords(
  texts: Texts,
  { waiting, place }: { readonly waiting: SwarmWait | undefined; readonly place: number | undefined },
): string | undefined {
  if (place !== undefined) return texts.placeInQueue(place)
  return waiting && waitWords(texts, waiting)
}

/** For example: "Waiting until 14:03 for a server with blocks 12–18" */
function waitWords(texts: Texts, { blocks, until }: SwarmWait): string {
  const ranges = blocks.map(({ start, end }) => texts.blockRange(start, end - 1)).join(', ')
  const count = blocks.reduce((sum, { start, end }) => sum + end - start, 0)
  return texts.waitingForBlocks(count, ranges, formatClock(until))
}
