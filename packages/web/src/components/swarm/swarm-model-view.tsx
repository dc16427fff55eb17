import type { SwarmModel } from '../../api/swarm.ts'
import { formatRate } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { toRanges } from '../../swarm/block-ranges.ts'
import type { SwarmSample } from '../../swarm/swarm-history.ts'
import { CopyButton } from '../../ui/copy-button.tsx'
import { Icon } from '../../ui/icon.tsx'
import { BlockMap } from './block-map.tsx'
import { ServerTable } from './server-table.tsx'
import { SwarmChart } from './swarm-chart.tsx'

interface SwarmModelViewProps {
  readonly model: SwarmModel
  readonly samples: readonly SwarmSample[]
}

export function SwarmModelView({ model, samples }: SwarmModelViewProps) {
  const texts = useTexts()
  const { id, reachable, problem, missingBlocks, bottleneck, servers, blocks } = model
  const servable = reachable && model.servable
  const online = servers.filter(({ state }) => state === 'online').length
  const missing = toRanges(missingBlocks).map(({ start, end }) => texts.blockRange(start, end - 1))
  return (
    <section className="swarm-model" aria-label={id}>
      <div className="swarm-model-head">
        <h2>{id}</h2>
        <span className="swarm-badge" data-complete={servable}>
          <Icon name={servable ? 'check' : 'warning'} size={16} />
          {servable ? texts.swarmComplete : reachable ? texts.swarmIncomplete : texts.swarmUnreachable}
        </span>
      </div>
      {problem && <p className="swarm-problem">{problem}</p>}
      <p className="swarm-facts">
        {(reachable || online > 0) && <span>{texts.swarmServers(online)}</span>}
        {blocks > 0 && <span>{texts.swarmBlocks(blocks)}</span>}
        {bottleneck !== undefined && bottleneck.throughput > 0 && (
          <span>{texts.swarmBottleneck(bottleneck.block, formatRate(bottleneck.throughput))}</span>
        )}
      </p>
      {blocks > 0 && (reachable || online > 0) && <BlockMap model={model} />}
      {missing.length > 0 && (
        <p className="swarm-missing">{texts.swarmMissing(missingBlocks.length, missing.join(', '))}</p>
      )}
      {reachable && <JoinSwarm model={model} />}
      <SwarmChart samples={samples} />
      <ServerTable servers={servers} />
    </section>
  )
}

/** Explains how a computer becomes a server of the model, with the gateway's command for each gap. */
function JoinSwarm({ model: { servable, join } }: { readonly model: SwarmModel }) {
  const texts = useTexts()
  if (join.length === 0) return null
  return (
    <details className="swarm-join" open={!servable}>
      <summary>{servable ? texts.swarmJoin : texts.swarmFill}</summary>
      <p>{texts.swarmJoinHow}</p>
      {join.map(({ command, blocks }) => (
        <div key={command} className="swarm-command">
          <code tabIndex={0}>{command}</code>
          <CopyButton
            text={command}
            label={
              blocks
                ? texts.swarmCopyCommandFor(
                    blocks.end - blocks.start,
                    texts.blockRange(blocks.start, blocks.end - 1),
                  )
                : texts.swarmCopyCommand
            }
          />
        </div>
      ))}
      <p className="swarm-join-note">{texts.swarmJoinNote}</p>
    </details>
  )
}
