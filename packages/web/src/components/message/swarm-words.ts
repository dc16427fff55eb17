import type { Failover, SwarmPeer, SwarmWait } from '../../api/route-report.ts'
import { formatClock, formatSeconds } from '../../i18n/format.ts'
import type { Texts } from '../../i18n/en.ts'

/** The name that a server gives itself, else the end of its peer id, which is enough to tell servers apart. */
export function peerName({ publicName, peer }: SwarmPeer): string {
  return publicName ?? `…${peer.slice(-6)}`
}

/** "server X left, went on through Y in 0.4 s" */
export function failoverWords(texts: Texts, failover: Failover): string {
  const names = [...new Set(failover.replacedBy.map(peerName))].join(', ')
  return texts.failover(peerName(failover), names, formatSeconds(failover.pauseMs))
}

/** "Waiting for a server of blocks 12–18, until 14:03" */
export function waitWords(texts: Texts, { blocks, until }: SwarmWait): string {
  const ranges = blocks.map(({ start, end }) => texts.blockRange(start, end - 1)).join(', ')
  const count = blocks.reduce((sum, { start, end }) => sum + end - start, 0)
  return texts.waitingForBlocks(count, ranges, formatClock(until))
}
