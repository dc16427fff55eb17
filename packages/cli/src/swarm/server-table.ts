import { precisionName, type SwarmServerStatus } from '@petals-chat/engine'
import { formatDuration, formatTable } from '../terminal/format.ts'

const heads = ['BLOCKS', 'SERVER', 'VERSION', 'TYPE', 'SPEED', 'RTT', 'ROOM', 'STATE'] as const

/** Formats the servers of a model: a line of headings, and a line for each server. */
export function serverTable(servers: readonly SwarmServerStatus[]): readonly string[] {
  return formatTable([heads, ...servers.map(row)])
}

const row = (server: SwarmServerStatus): readonly string[] => [
  `${server.start}-${server.end - 1}`,
  nameOf(server),
  server.version ?? '?',
  precisionName(server) ?? '?',
  `${formatNumber(server.throughput)} tokens/s`,
  formatRoundTrip(server.rttMs),
  formatRoom(server),
  describeState(server),
]

/** The end of a peer id is enough to tell servers apart. */
export const nameOf = ({ publicName, peer }: Pick<SwarmServerStatus, 'publicName' | 'peer'>): string =>
  publicName === undefined ? `…${peer.slice(-6)}` : `${publicName} (…${peer.slice(-6)})`

const formatNumber = (value: number): string => (value < 10 ? value.toFixed(1) : String(Math.round(value)))

function formatRoundTrip(ms: number | undefined): string {
  if (ms === undefined) return '?'
  return ms === Infinity ? '-' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}

const formatRoom = ({ cacheTokensLeft }: SwarmServerStatus): string =>
  cacheTokensLeft === undefined ? '?' : `${cacheTokensLeft} tokens`

const verdictWords = { wrong: 'computes wrongly, not used', disputed: 'disagrees with another server' }

function describeState(server: SwarmServerStatus): string {
  const { state, rttMs, bannedForMs, usesRelay, adapters, verdict } = server
  const words = [
    state === 'online' && rttMs === Infinity ? 'does not answer' : state,
    usesRelay === true ? 'through a relay' : undefined,
    bannedForMs > 0 ? `avoided for ${formatDuration(bannedForMs / 1000)}` : undefined,
    verdict && verdictWords[verdict.kind],
    adapters.length > 0 ? `adapters ${adapters.join(', ')}` : undefined,
  ]
  return words.filter((word) => word !== undefined).join(', ')
}
