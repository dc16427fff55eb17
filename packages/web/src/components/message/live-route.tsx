import type { RouteReport } from '../../api/route-report.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Icon } from '../icon.tsx'
import { peerName } from './failover-words.ts'
import { RouteNote } from './route-note.tsx'
import { RouteTable } from './route-table.tsx'

/** The servers that an answer goes through while it is written, and those that it has just left. */
export function LiveRoute({ route }: { readonly route: RouteReport | undefined }) {
  const texts = useTexts()
  if (!route) return null
  return (
    <>
      <RouteNote route={route} />
      <details className="live-route">
        <summary>
          <Icon name="network" size={16} />
          {texts.routeThrough(route.hops.map(peerName).join(' → '))}
          <Icon name="chevron" size={16} />
        </summary>
        <RouteTable route={route} />
      </details>
    </>
  )
}
