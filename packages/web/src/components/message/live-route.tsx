import type { RouteReport } from '../../api/route-report.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Icon } from '../../ui/icon.tsx'
import { failoverWords, peerName } from './swarm-words.ts'
import { RouteTable } from './route-table.tsx'
import type { Disclosure } from './use-disclosure.ts'

interface LiveRouteProps {
  readonly route: RouteReport | undefined
  readonly writing: boolean
  readonly table: Disclosure
}

/**
 * The servers of a running answer, and those that it has just left. If the table is open when
 * the answer ends, it stays open; afterwards it is among the details.
 */
export function LiveRoute({ route, writing, table }: LiveRouteProps) {
  const texts = useTexts()
  if (!route) return null
  return (
    <>
      <RouteNote route={route} />
      {(writing || table.open) && (
        <details className="live-route" open={table.open} onToggle={table.onToggle}>
          <summary>
            <Icon name="network" size={16} />
            {texts.routeThrough(route.hops.map(peerName).join(' → '))}
            <Icon name="chevron" size={16} />
          </summary>
          <RouteTable route={route} />
        </details>
      )}
    </>
  )
}

/** A line for an answer that had to change servers: the newest change, and the number of earlier ones. */
function RouteNote({ route }: { readonly route: RouteReport | undefined }) {
  const texts = useTexts()
  const newest = route?.failovers.at(-1)
  if (!route || !newest) return null
  const others = route.failovers.length - 1
  return (
    <p className="failover-note">
      {failoverWords(texts, newest)}
      {others > 0 && ` ${texts.moreFailovers(others)}`}
    </p>
  )
}
