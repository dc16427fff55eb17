import type { CSSProperties } from 'react'
import type { SwarmModel, SwarmServer } from '../../api/swarm.ts'
import { useTexts } from '../../i18n/texts.ts'
import { packRows } from '../../swarm/block-ranges.ts'
import { peerName } from '../message/swarm-words.ts'

/** More replicas than this look the same. */
const MANY = 3

/** A strip of blocks, coloured by their number of replicas, and below it the span of each server. */
export function BlockMap({ model }: { readonly model: SwarmModel }) {
  const texts = useTexts()
  const { blocks, replicas, servers } = model
  const rows = packRows(servers.filter(({ state, end, start }) => state !== 'offline' && end > start))
  const label = texts.swarmMap(blocks, replicas.filter((count) => count === 0).length)
  return (
    <div className="block-map-scroll" tabIndex={0} role="group" aria-label={texts.swarmMapTitle}>
      <div className="block-map" style={variables({ '--blocks': blocks })}>
        <div className="block-strip" role="img" aria-label={label}>
          {Array.from({ length: blocks }, (_, block) => {
            const count = replicas[block] ?? 0
            return (
              <span
                key={block}
                className="block"
                data-replicas={Math.min(count, MANY)}
                title={texts.swarmBlockTitle(block, count)}
              />
            )
          })}
        </div>
        <div className="block-servers" aria-hidden="true">
          {rows.map((row, index) => (
            <div key={index} className="block-row">
              {row.map((server) => (
                <ServerSpan key={server.peer} server={server} />
              ))}
            </div>
          ))}
        </div>
      </div>
      <Legend />
    </div>
  )
}

function ServerSpan({ server }: { readonly server: SwarmServer }) {
  const { start, end, state } = server
  return (
    <span
      className="block-server"
      data-state={state}
      title={peerName(server)}
      style={variables({ '--start': start + 1, '--end': end + 1 })}
    >
      {peerName(server)}
    </span>
  )
}

function Legend() {
  const texts = useTexts()
  return (
    <ul className="block-legend" aria-hidden="true">
      {[0, 1, 2, 3].map((count) => (
        <li key={count}>
          <span className="block" data-replicas={count} /> {texts.swarmReplicas(count, count === MANY)}
        </li>
      ))}
    </ul>
  )
}

function variables(values: Record<`--${string}`, number>): CSSProperties {
  return values as CSSProperties
}
