import type { CSSProperties } from 'react'
import type { RouteReport, SwarmPeer } from '../../api/route-report.ts'
import { formatRate, formatSeconds } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { failoverWords, peerName } from './swarm-words.ts'
import './route-table.css'

/** The route of an answer: a strip with the blocks of each server, and a table. */
export function RouteTable({ route }: { readonly route: RouteReport }) {
  const texts = useTexts()
  const { hops, failovers, pushed, tokensPerStep } = route
  const standbys = [...new Set(hops.flatMap(({ standby }) => (standby ? peerName(standby) : [])))]
  return (
    <section className="route">
      <h3>{texts.routeTitle}</h3>
      <div className="route-blocks" aria-hidden="true">
        {hops.map((hop, index) => (
          <span key={index} className="route-span" title={peerName(hop)} style={spanStyle(hop, index)} />
        ))}
      </div>
      <div className="route-scroll" tabIndex={0} role="group" aria-label={texts.routeTitle}>
        <table>
          <thead>
            <tr>
              <th scope="col">{texts.routeServer}</th>
              <th scope="col">{texts.routeBlocks}</th>
              <th scope="col" className="route-number">
                {texts.routeStep}
              </th>
            </tr>
          </thead>
          <tbody>
            {hops.map((hop, index) => (
              <tr key={index}>
                <td title={hop.peer}>{peerName(hop)}</td>
                <td>{texts.blockRange(hop.start, hop.end - 1)}</td>
                <td className="route-number">{hop.stepMs === undefined ? '–' : formatSeconds(hop.stepMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {standbys.length > 0 && <p className="route-note">{texts.routeStandbys(standbys.join(', '))}</p>}
      {pushed && <p className="route-note">{texts.routePushed}</p>}
      {tokensPerStep !== undefined && (
        <p className="route-note">{texts.routeTokensPerStep(formatRate(tokensPerStep))}</p>
      )}
      {failovers.length > 0 && (
        <ul className="failovers">
          {failovers.map((failover, index) => (
            <li key={index} title={failover.reason}>
              {failoverWords(texts, failover)}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

/** The width is the server's share of the blocks; each server has its own hue. */
function spanStyle({ start, end }: SwarmPeer & { start: number; end: number }, index: number): CSSProperties {
  const properties: Record<`--${string}`, number> = { '--blocks': end - start, '--turn': index * 47 }
  return properties as CSSProperties
}
