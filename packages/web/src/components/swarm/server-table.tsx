import type { SwarmServer } from '../../api/swarm.ts'
import { formatCount, formatRate, formatSeconds } from '../../i18n/format.ts'
import type { Texts } from '../../i18n/en.ts'
import { useTexts } from '../../i18n/texts.ts'
import { peerName } from '../message/swarm-words.ts'

export function ServerTable({ servers }: { readonly servers: readonly SwarmServer[] }) {
  const texts = useTexts()
  if (servers.length === 0) return null
  const measured = servers.some(({ throughput }) => throughput > 0)
  const sorted = servers.toSorted((a, b) => a.start - b.start || a.end - b.end)
  return (
    <div className="server-table">
      <table aria-label={texts.swarmServerTable}>
        <thead>
          <tr>
            <th scope="col">{texts.routeServer}</th>
            <th scope="col">{texts.serverState}</th>
            <th scope="col">{texts.routeBlocks}</th>
            {measured && <th scope="col">{texts.serverThroughput}</th>}
            <th scope="col">{texts.serverLatency}</th>
            <th scope="col">{texts.serverCache}</th>
            <th scope="col">{texts.serverVersion}</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((server) => (
            <ServerRow key={server.peer} server={server} measured={measured} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface ServerRowProps {
  readonly server: SwarmServer
  /** Whether any server reports its throughput. */
  readonly measured: boolean
}

function ServerRow({ server, measured }: ServerRowProps) {
  const texts = useTexts()
  const { peer, start, end, throughput, cacheTokensLeft, version, precision, usesRelay } = server
  // On a narrow page, each row is a list, and its cells say what they are.
  return (
    <tr>
      <th scope="row" title={peer}>
        {peerName(server)}
      </th>
      <td data-label={texts.serverState}>{stateWords(texts, server)}</td>
      <td data-label={texts.routeBlocks}>{end > start ? texts.blockRange(start, end - 1) : '–'}</td>
      {measured && (
        <td data-label={texts.serverThroughput}>
          {throughput > 0 ? texts.tokensPerSecond(formatRate(throughput)) : '–'}
        </td>
      )}
      <td data-label={texts.serverLatency}>
        {latencyWords(texts, server)}
        {usesRelay && ` (${texts.serverRelay})`}
      </td>
      <td data-label={texts.serverCache}>
        {cacheTokensLeft === undefined ? '–' : formatCount(cacheTokensLeft)}
      </td>
      <td data-label={texts.serverVersion}>{[version, precision].filter(Boolean).join(', ') || '–'}</td>
    </tr>
  )
}

function stateWords(texts: Texts, { state, bannedForMs, verdict }: SwarmServer): string {
  if (state === 'offline') return texts.serverOffline
  if (verdict) return verdict === 'wrong' ? texts.serverWrong : texts.serverDisputed
  if (state === 'joining') return texts.serverJoining
  return bannedForMs > 0 ? texts.serverBanned(formatSeconds(bannedForMs)) : texts.serverOnline
}

function latencyWords(texts: Texts, { rttMs }: SwarmServer): string {
  if (rttMs === null) return texts.serverSilent
  return rttMs === undefined ? '–' : formatSeconds(rttMs)
}
