import type { Failover, SwarmPeer } from '../../api/route-report.ts'
import { formatSeconds } from '../../i18n/format.ts'
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
